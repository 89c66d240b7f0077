-- Read a list (07 10), and extend its meta TTL.
-- KEYS: list, meta. ARGV: meta TTL (0: no expiry), epoch of a new stream, publications wanted ('1' or '').
-- Returns offset, epoch, elements, newest first.
local meta = KEYS[2]
local position = redis.call('hmget', meta, 'e', 's')
local epoch, top = position[1], position[2] or '0'
if not epoch then
  epoch, top = ARGV[2], '0'
  redis.call('hset', meta, 'e', epoch)
end
if ARGV[1] ~= '0' then
  redis.call('expire', meta, ARGV[1])
end
return {top, epoch, ARGV[3] == '1' and redis.call('lrange', KEYS[1], 0, -1) or {}}
