-- Everything Redis has to say about one vote, in one step (limits.lua stands before).
-- KEYS[1]   the session: a text that begins with its owner's 32 characters; "-" or none: ask the database
-- ARGV[1]   what all values of the owner begin with, up to the owner: "wx:v:{0a3}:"
-- ARGV[2]   the same of limits: "wx:t:{0a3}:"
-- ARGV[3]   the flag that says "has been here", behind the owner
-- ARGV[4]   what the flag is set to
-- ARGV[5]   for how many milliseconds
-- ARGV[6]   the value that serves once, behind the owner
-- ARGV[7]   the limit, behind the owner
-- ARGV[8]   how many calls it allows
-- ARGV[9]   within how many milliseconds
-- Returns {word, session, value, milliseconds}; the word is
--   unknown   no session here; nothing was touched
--   flagged   the flag stands; nothing else was touched
--   often     the limit is used up; milliseconds until it opens
--   spent     counted, but there is no such value (any more)
--   passed    counted, flag set, the value taken away
-- Keys made here have the hash tag of KEYS[1].
local session = redis.call('GET', KEYS[1])
if not session or session == '-' then
  return { 'unknown', '', '', 0 }
end
local owner = string.sub(session, 1, 32)
local flag = ARGV[1] .. owner .. ':' .. ARGV[3]
if redis.call('EXISTS', flag) == 1 then
  return { 'flagged', session, '', 0 }
end
local wait = count({ ARGV[2] .. owner .. ':' .. ARGV[7] }, { ARGV[8], ARGV[9] })
if wait > 0 then
  return { 'often', session, '', wait }
end
local once = ARGV[1] .. owner .. ':' .. ARGV[6]
local value = redis.call('GET', once)
if not value then
  return { 'spent', session, '', 0 }
end
redis.call('DEL', once)
redis.call('SET', flag, ARGV[4], 'PX', ARGV[5])
return { 'passed', session, value, 0 }
