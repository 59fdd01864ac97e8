-- ARGV  1 consumer, then for each job: id, user, payload, deliveries, born
-- Renews what the consumer has; what the engine has lost since it was claimed is taken up again in the same hands.
-- Returns the ids of the others: those are in other hands, or over.

local consumer = ARGV[1]
local lost = {}

local function restore(id, user, payload, deliveries)
  local job = { u = user, p = payload, n = deliveries - 1, t = now }
  enter(id, job)
  while true do
    local answer = redis.call('XREADGROUP', 'GROUP', GROUP, consumer, 'COUNT', 1, 'STREAMS', stream, '>')
    if not answer then return end
    local row = answer[1][2][1]
    if row[1] == job.r then return end
    local other = read(row[2][2])
    redis.call('XACK', stream, GROUP, row[1])
    redis.call('XDEL', stream, row[1])
    if other then wait(row[2][2], other, true) end
  end
end

for i = 2, #ARGV, 5 do
  local id, job = ARGV[i], read(ARGV[i])
  if job and owner(job) == consumer then
    redis.call('XCLAIM', stream, GROUP, consumer, 0, job.r, 'JUSTID')
  elseif not job and ARGV[i + 4] ~= redis.call('GET', born) then
    restore(id, ARGV[i + 1], ARGV[i + 2], tonumber(ARGV[i + 3]))
  else
    lost[#lost + 1] = id
  end
end
wake()
return lost
