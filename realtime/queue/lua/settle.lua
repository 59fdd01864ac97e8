-- ARGV  1 consumer  2 id  3 note, finish, retry or bury  4 why, or the note  5 milliseconds until it is due again  6 1 if this one counts
--       7 bound of the dead  8 what stays of the payload of one that is buried
-- Returns 1, or 0 when the job is in other hands, or over: nothing is changed then.

local consumer, id, how = ARGV[1], ARGV[2], ARGV[3]
local job = read(id)
if not job or job.s == 'dead' then return 0 end
local holder, times = owner(job)
-- A job that is done may be taken from whoever has not begun it; what is to be done again is its holder's to say.
if holder ~= consumer and (holder or how ~= 'finish') then return 0 end
if how == 'note' then
  job.k = ARGV[4]
  write(id, job)
  return 1
end
take_out(id, job)
if how == 'finish' then
  redis.call('HDEL', jobs, id)
  return 1
end
job.e = ARGV[4]
if ARGV[6] == '1' then job.n = job.n + times end
if how == 'retry' then
  job.s = 'later'
  redis.call('ZADD', later, now + ARGV[5], id)
else
  job.s, job.at, job.p, job.k = 'dead', now, ARGV[8], nil
  redis.call('ZADD', dead, now, id)
  while redis.call('ZCARD', dead) > tonumber(ARGV[7]) do
    redis.call('HDEL', jobs, redis.call('ZPOPMIN', dead)[1])
  end
end
write(id, job)
return 1
