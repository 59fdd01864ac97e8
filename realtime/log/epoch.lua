-- What the scripts of a log begin with: its keys, and the epoch that its offsets count in.
--
-- KEYS  1 entries (stream)  2 meta (hash: e = epoch, o = offset, r = replication, m = marks of age)
--       3 drafts (hash: <name> = attempt, <name>:h = header)
--       4 prefix of the drafts' texts (strings; <name>:closed marks one that is over; it holds the last record's body
--         where the draft was never opened)

local entries, meta, drafts, texts = KEYS[1], KEYS[2], KEYS[3], KEYS[4]

-- The epoch and the marks of age; where the log begins, `new`, and seconds to live. A server that was started again, or promoted, has another
-- replication ID: the last writes may be missing. Nobody can tell, so the log begins anew. Drafts as well: whoever writes
-- one finds it lost, and tells all of it again.
local function epoch_or(new, ttl)
  local replication = string.match(redis.call('INFO', 'replication'), 'master_replid:(%x+)')
  local known = redis.call('HMGET', meta, 'e', 'r', 'm')
  if known[1] and known[2] == replication then return known[1], known[3] or '' end
  for _, name in ipairs(redis.call('HKEYS', drafts)) do redis.call('DEL', texts .. name) end
  redis.call('DEL', entries, drafts, meta)
  redis.call('HSET', meta, 'e', new, 'o', 0, 'r', replication)
  redis.call('EXPIRE', meta, ttl)
  return new, ''
end

