-- How csp-operator's objects stand, for Argo CD. docs/gitops.md has the table that this follows.
-- Argo CD does not ask about an object that is being deleted: that is Progressing, whatever its status says.
local found = {}
if obj.status ~= nil and obj.status.conditions ~= nil then
  for _, condition in ipairs(obj.status.conditions) do
    found[condition.type] = condition
  end
end
local ready, reconciling = found.Ready, found.Reconciling
if ready == nil or obj.status.observedGeneration ~= obj.metadata.generation then
  return { status = "Progressing", message = "csp-operator has not looked at this generation yet" }
end

local health = { message = ready.reason .. ": " .. ready.message }
if reconciling ~= nil and reconciling.status == "True" then
  health.status = "Progressing"
elseif ready.reason == "Suspended" then
  health.status = "Suspended"
elseif ready.status == "True" then
  health.status = "Healthy"
else
  -- Nothing is under way, and it is not as declared: a person must act, or driftPolicy leaves a drift.
  health.status = "Degraded"
end
return health
