-- Asks the controller to look at the object again, now.
local os = require("os")
if obj.metadata.annotations == nil then
  obj.metadata.annotations = {}
end
obj.metadata.annotations["sealwax.dev/reconcile-at"] = os.date("!%Y-%m-%dT%H:%M:%SZ")
return obj
