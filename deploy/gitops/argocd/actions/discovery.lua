-- The actions that Argo CD offers on an EncryptedSecret.
local suspended = obj.spec ~= nil and obj.spec.suspend == true
return {refresh = {disabled = suspended}}
