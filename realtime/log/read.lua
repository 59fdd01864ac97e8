-- One atomic view of a log: what came after a position, or, where the log does not reach back to it, the drafts.
--
-- KEYS  as in epoch.lua
-- ARGV  1 epoch to begin with  2 seconds to live  3 the reader's epoch ('' for none)  4 the reader's offset
-- Returns epoch, offset, 1 and {id, fields, …} if recovered; otherwise epoch, offset, 0 and {name, attempt, header, text, …}.

local epoch = epoch_or(ARGV[1], ARGV[2])
local offset = tonumber(redis.call('HGET', meta, 'o'))

local after = tonumber(ARGV[4])
if ARGV[3] == epoch and after <= offset then
  local found = redis.call('XRANGE', entries, (after + 1) .. '-0', '+')
  if #found == offset - after then
    return { epoch, offset, 1, found }
  end
end

local growing = {}
local held = redis.call('HGETALL', drafts)
for i = 1, #held, 2 do
  local name = held[i]
  if string.sub(name, -2) ~= ':h' then
    local n = #growing
    growing[n + 1] = name
    growing[n + 2] = tonumber(held[i + 1])
    growing[n + 3] = redis.call('HGET', drafts, name .. ':h') or ''
    growing[n + 4] = redis.call('GET', texts .. name) or ''
  end
end
return { epoch, offset, 0, growing }
