-- Count one call against all limits, or against none (limits.lua).
-- KEYS[i]        one hash per limit
-- ARGV[2i-1]     how many calls limit i allows
-- ARGV[2i]       within how many milliseconds
-- Returns {1, 0, 0}, or {0, milliseconds until the last refusing limit opens, its number i}.
local wait, refusing = count(KEYS, ARGV)
if refusing > 0 then
  return { 0, wait, refusing }
end
return { 1, 0, 0 }
