-- Keeps a value unless it was forgotten since its load began. KEYS: value, stamp. ARGV: the stamp as it was seen
-- before the load ('' for none), value, milliseconds to live.
if (redis.call('GET', KEYS[2]) or '') ~= ARGV[1] then
  return 0
end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1
