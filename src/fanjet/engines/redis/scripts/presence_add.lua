-- Insert or refresh a presence entry (07 9.2).
-- KEYS: infos, their expiry, connections by user, expiry of users.
-- ARGV: client, info, user, TTL, expiry time (Unix seconds), count users ('1' or ''), use hash field TTLs ('1' or '').
local is_new = ARGV[6] == '1' and redis.call('hexists', KEYS[1], ARGV[1]) == 0
redis.call('hset', KEYS[1], ARGV[1], ARGV[2])
redis.call('expire', KEYS[1], ARGV[4])
if ARGV[7] == '1' then
  redis.call('hexpire', KEYS[1], ARGV[4], 'FIELDS', 1, ARGV[1])
else
  redis.call('zadd', KEYS[2], ARGV[5], ARGV[1])
  redis.call('expire', KEYS[2], ARGV[4])
end
if ARGV[6] == '1' then
  if is_new then
    redis.call('hincrby', KEYS[3], ARGV[3], 1)
  end
  redis.call('expire', KEYS[3], ARGV[4])
  if ARGV[7] == '1' then
    redis.call('hexpire', KEYS[3], ARGV[4], 'FIELDS', 1, ARGV[3])
  else
    redis.call('zadd', KEYS[4], ARGV[5], ARGV[3])
    redis.call('expire', KEYS[4], ARGV[4])
  end
end
return 0
