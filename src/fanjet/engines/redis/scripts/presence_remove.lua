-- Remove a presence entry (07 9.2).
-- KEYS: infos, their expiry, connections by user, expiry of users.
-- ARGV: client, user, count users ('1' or ''), use hash field TTLs ('1' or '').
local existed = redis.call('hdel', KEYS[1], ARGV[1]) == 1
if ARGV[4] ~= '1' then
  redis.call('zrem', KEYS[2], ARGV[1])
end
if ARGV[3] == '1' and existed and redis.call('hincrby', KEYS[3], ARGV[2], -1) <= 0 then
  if ARGV[4] ~= '1' then
    redis.call('zrem', KEYS[4], ARGV[2])
  end
  redis.call('hdel', KEYS[3], ARGV[2])
end
return 0
