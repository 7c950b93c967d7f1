-- The health of an EncryptedSecret for Argo CD.
-- Degraded ends a sync with a failure, so only what waits for somebody is Degraded; whatever the controller tries again
-- by itself is Progressing, or stays Healthy while the Secret of this very generation is there.
local function result(status, message)
  return {status = status, message = message}
end

if obj.metadata.deletionTimestamp ~= nil then
  return result("Progressing", "Being deleted")
end
if obj.spec ~= nil and obj.spec.suspend == true then
  return result("Suspended", "spec.suspend is true: the Secret stays as it is")
end

local status = obj.status
if status == nil or status.observedGeneration == nil or status.observedGeneration < 0 then
  return result("Progressing", "Waiting for the controller to see it")
end
-- A verdict on an earlier spec says nothing about this one.
if obj.metadata.generation ~= nil and status.observedGeneration ~= obj.metadata.generation then
  return result("Progressing", "Waiting for the controller to see generation " .. obj.metadata.generation)
end

local found = {}
for _, condition in ipairs(status.conditions or {}) do
  found[condition.type] = condition
end
local ready, reconciling, stalled = found.Ready, found.Reconciling, found.Stalled
if stalled ~= nil and stalled.status == "True" then
  return result("Degraded", stalled.message)
end
if ready ~= nil and ready.status == "True" then
  return result("Healthy", ready.message)
end
if reconciling ~= nil and reconciling.status == "True" then
  return result("Progressing", reconciling.message)
end
if ready ~= nil and ready.status == "False" then
  return result("Degraded", ready.message)
end
return result("Progressing", "Waiting for the condition Ready")
