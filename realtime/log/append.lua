-- Append records to one log, in order, and publish each: the order of the log is the order of delivery.
--
-- KEYS  1 entries (stream)  2 meta (hash: e = epoch, o = offset)  3 drafts (hash: <name> = attempt,
--       <name>:h = header)  4 prefix of the drafts' texts (strings; <name>:closed marks one that is over)
-- ARGV  1 epoch to begin with  2 max entries  3 seconds to live  4 channel  5 PUBLISH or SPUBLISH
--       then, per record: body, kind ('' | open | grow | close), draft, attempt, size in bytes (-1: whatever it is),
--       header, text
-- Returns the epoch, then per record its offset, or 'stale' or 'lost'.

local entries, meta, drafts, texts = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local ttl, channel, publish = ARGV[3], ARGV[4], ARGV[5]

local epoch = redis.call('HGET', meta, 'e')
if not epoch then
  epoch = ARGV[1]
  redis.call('HSET', meta, 'e', epoch, 'o', 0)
  redis.call('DEL', entries, drafts)
end

-- What the record does to its draft; nil when it may be written, otherwise the reason why not.
local function change(kind, draft, attempt, size, header, text)
  if kind == '' then return nil end
  local text_key = texts .. draft
  local held = tonumber(redis.call('HGET', drafts, draft))
  if held and held > attempt then return 'stale' end
  if not held and redis.call('EXISTS', text_key .. ':closed') == 1 then return 'stale' end
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
    redis.call('SET', text_key .. ':closed', attempt, 'EX', ttl)
  end
  return nil
end

local result = { epoch }
for i = 6, #ARGV, 7 do
  local body = ARGV[i]
  local refused = change(ARGV[i + 1], ARGV[i + 2], tonumber(ARGV[i + 3]), tonumber(ARGV[i + 4]), ARGV[i + 5], ARGV[i + 6])
  if refused then
    result[#result + 1] = refused
  else
    local offset = redis.call('HINCRBY', meta, 'o', 1)
    redis.call('XADD', entries, 'MAXLEN', '~', ARGV[2], offset .. '-0', 'b', body)
    redis.call(publish, channel, epoch .. ' ' .. offset .. ' ' .. body)
    result[#result + 1] = offset
  end
end
redis.call('EXPIRE', meta, ttl)
redis.call('EXPIRE', entries, ttl)
redis.call('EXPIRE', drafts, ttl)
return result
