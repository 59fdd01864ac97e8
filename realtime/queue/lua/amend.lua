-- ARGV  1 id  2 drop or revive
-- What an operator does: forget a job wherever it is, or give one that is later or dead its turn at once.
-- Returns 1, or 0 when there is no such job, or not in such a state.

local id, how = ARGV[1], ARGV[2]
local job = read(id)
if not job then return 0 end
if how == 'revive' and job.s ~= 'later' and job.s ~= 'dead' then return 0 end
take_out(id, job)
if how == 'drop' then
  redis.call('HDEL', jobs, id)
else
  job.n = 0
  wait(id, job)
  wake()
end
return 1
