-- Append records to one log, in order, and publish each: the order of the log is the order of delivery.
--
-- KEYS  as in epoch.lua
-- ARGV  1 epoch to begin with  2 max entries  3 seconds to live  4 most milliseconds of age  5 channel
--       6 PUBLISH or SPUBLISH
--       then, per record: body, kind ('' | open | grow | close | tell), draft, attempt, size in bytes (-1: whatever it is),
--       header, text
-- Returns the epoch, then per record its offset, or 'stale' or 'lost'.

local ttl, oldest, channel, publish = ARGV[3], tonumber(ARGV[4]), ARGV[5], ARGV[6]
local epoch, aged = epoch_or(ARGV[1], ttl)

-- What the record does to its draft; nil when it may be written, otherwise the reason why not. An end that was told
-- before its beginning is the second value: it is told once more behind it.
local function change(body, kind, draft, attempt, size, header, text)
  if kind == '' then return nil end
  local text_key = texts .. draft
  local held = tonumber(redis.call('HGET', drafts, draft))
  if held and held > attempt then return 'stale' end
  local ended = not held and redis.call('GET', text_key .. ':closed')
  if ended == '' or ended and (kind ~= 'open' or attempt > 0) then return 'stale' end
  if ended then
    redis.call('SET', text_key .. ':closed', '', 'EX', ttl)
    return nil, ended
  end
  if kind == 'tell' then return nil end
  if kind ~= 'open' and size >= 0 and (held ~= attempt or redis.call('STRLEN', text_key) ~= size) then
    return 'lost'
  end
  if kind == 'open' then
    redis.call('HSET', drafts, draft, attempt, draft .. ':h', header)
    redis.call('SET', text_key, text, 'EX', ttl)
  elseif kind == 'grow' then
    redis.call('APPEND', text_key, text)
    redis.call('EXPIRE', text_key, ttl)
  else
    redis.call('HDEL', drafts, draft, draft .. ':h')
    redis.call('DEL', text_key)
    redis.call('SET', text_key .. ':closed', held and '' or body, 'EX', ttl)
  end
  return nil
end

local function tell(body)
  local offset = redis.call('HINCRBY', meta, 'o', 1)
  redis.call('XADD', entries, 'MAXLEN', '~', ARGV[2], offset .. '-0', 'b', body)
  redis.call(publish, channel, epoch .. ' ' .. offset .. ' ' .. body)
  return offset
end

local result = { epoch }
for i = 7, #ARGV, 7 do
  local body, attempt, size = ARGV[i], tonumber(ARGV[i + 3]), tonumber(ARGV[i + 4])
  local refused, ended = change(body, ARGV[i + 1], ARGV[i + 2], attempt, size, ARGV[i + 5], ARGV[i + 6])
  result[#result + 1] = refused or tell(body)
  if ended then tell(ended) end
end

-- Age, to an eighth of what is allowed: `m` holds "moment:offset …", the newest last. What is older than the oldest
-- mark that has come of age, is trimmed.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local marks, latest, passed = {}, 0, nil
for moment, offset in string.gmatch(aged, '(%d+):(%d+)') do
  latest = tonumber(moment)
  if now - latest >= oldest then passed = offset else marks[#marks + 1] = moment .. ':' .. offset end
end
if now - latest >= oldest / 8 then
  marks[#marks + 1] = string.format('%.0f', now) .. ':' .. redis.call('HGET', meta, 'o')
  redis.call('HSET', meta, 'm', table.concat(marks, ' '))
end
if passed then redis.call('XTRIM', entries, 'MINID', '=', (tonumber(passed) + 1) .. '-0') end

redis.call('EXPIRE', meta, ttl)
redis.call('EXPIRE', entries, ttl)
redis.call('EXPIRE', drafts, ttl)
return result
