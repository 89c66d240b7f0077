-- Read a stream (07 6.3), and extend its meta TTL.
-- KEYS: stream, meta.
-- ARGV: meta TTL (0: no expiry), epoch of a new stream, direction ('', 'forward', 'reverse'), first offset
--       ('': from the end), limit ('': all).
-- Returns offset, epoch, entries.
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

local entries = {}
if ARGV[3] ~= '' then
  local forward = ARGV[3] == 'forward'
  local first = ARGV[4]
  if first == '' then
    first = forward and '-' or top
  end
  local words = {forward and 'xrange' or 'xrevrange', KEYS[1], first, forward and '+' or '-'}
  if ARGV[5] ~= '' then
    words[5], words[6] = 'COUNT', ARGV[5]
  end
  entries = redis.call(unpack(words))
end
return {top, epoch, entries}
