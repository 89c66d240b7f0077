-- Publish, unless it has been done under this key already (07 6.1).
-- KEYS: result. ARGV: message, PUB/SUB channel ('': publish nothing), seconds that the result is kept.
if redis.call('hmget', KEYS[1], 'e')[1] then
  return 1
end
if ARGV[2] ~= '' then
  redis.call('publish', ARGV[2], ARGV[1])
end
redis.call('hset', KEYS[1], 'e', '')
redis.call('expire', KEYS[1], ARGV[3])
return 0
