/**
 * What runs inside the engine before the first script: the `redis` table as Redis 7.2 has it, calls that a script cannot keep from
 * being ended, and the driver through which we define and run scripts.
 *
 * Invariant 1: errors that end a script (`END`, empty fuel) pass through pcall, xpcall and coroutine.resume.
 * Invariant 2: the driver hangs behind a name that scripts cannot guess, and no table lists it.
 */

import { WIDE_STRUCT } from './lua-wide-struct.ts';

/** Error text by which `ScriptHost.call` ends a script; no command answers it. */
export const END_TEXT = '\u0001END';
/** Stands for RESP3's null, which is nil and not false. */
export const NIL_TEXT = '\u0001NIL';
/** The engine's own text, when fuel is used up. */
export const FUEL_TEXT = 'Script killed by fuel limit';

const SOURCE = `
local raw, control, rawsetresp, rawlog, sha1hex = redis.pcall, redis.call, redis.setresp, redis.log, redis.sha1hex
local error, next, pcall, xpcall, type, tostring, select, unpack, loadstring, setmetatable, getmetatable, tonumber, pairs, ipairs =
  error, next, pcall, xpcall, type, tostring, select, unpack, loadstring, setmetatable, getmetatable, tonumber, pairs, ipairs
local sub, find, match, format, rawget, rawset = string.sub, string.find, string.match, string.format, rawget, rawset
local rep, gsub = string.rep, string.gsub
local resume, concat = coroutine.resume, table.concat
local G = _G
local END, ENDTEXT, NILTEXT, FUEL = {}, '@END@', '@NIL@', '@FUEL@'
local BADARG = 'ERR Lua redis lib command arguments must be strings or integers'
local NOARG = 'ERR Please specify at least one argument for this redis lib call'
local chunk = 'user_script'
local scripts, libraries, functions = {}, {}, {}
local loading = nil

local function ends(e)
  return e == END or (type(e) == 'string' and sub(e, -#FUEL) == FUEL)
end

local function passed(ok, ...)
  if not ok and ends((...)) then error((...), 0) end
  return ok, ...
end

-- as Redis's pcall: of an error table it gives the text
local function caught(ok, ...)
  if ok then return ok, ... end
  local e = ...
  if ends(e) then error(e, 0) end
  if type(e) == 'table' then
    local text = e.err
    if type(text) == 'string' or type(text) == 'number' then e = text end
  end
  return ok, e
end

local function lock(t)
  control('lock', tostring(t))
  return t
end

local function fail(text)
  error({err = text}, 0)
end

-- string.rep: the engine's own puts long texts together byte by byte, half a second for 10 MB
local function repeated(...)
  local text, times = ...
  if type(text) ~= 'string' or type(times) ~= 'number' then
    local ok, result = pcall(rep, ...)
    if ok then return result end
    error((gsub(result, "'%?'", "'rep'", 1)), 2)
  end
  if times % 1 ~= 0 or times > 2147483647 or #text * times < 4096 then return rep(text, times) end
  local result = ''
  while true do
    if times % 2 == 1 then result = result .. text end
    times = (times - times % 2) / 2
    if times == 0 then return result end
    text = text .. text
  end
end

-- The engine's reply; true behind it: an argument is neither text nor number. Numbers go as Redis writes them: the engine
-- itself would keep 14 digits.
local function checked(n, ...)
  local args, changed = {...}, false
  for i = 1, n do
    local a = args[i]
    local kind = type(a)
    if kind == 'number' then
      if a % 1 ~= 0 or a >= 1e14 or a <= -1e14 then
        args[i] = format('%.17g', a)
        changed = true
      end
    elseif kind ~= 'string' then
      return nil, true
    end
  end
  if changed then return raw(unpack(args, 1, n)) end
  return raw(...)
end

-- As checked; most calls are of up to four texts, and need no table.
local function ask(...)
  local n = select('#', ...)
  if n == 0 then return {err = NOARG} end
  local a, b, c, d = ...
  local r, bad
  if n <= 4 and type(a) == 'string' and (n < 2 or type(b) == 'string') and (n < 3 or type(c) == 'string')
    and (n < 4 or type(d) == 'string') then
    r = raw(...)
  else
    r, bad = checked(n, ...)
  end
  if type(r) == 'table' then
    local e = r.err
    if e ~= nil then
      if e == ENDTEXT then error(END, 0) end
      if e == NILTEXT then return nil end
      r.ignore_error_stats_update = true
    end
  end
  return r, bad
end

local function badArgument(...)
  for i = 1, select('#', ...) do
    local kind = type((select(i, ...)))
    if kind ~= 'string' and kind ~= 'number' then return true end
  end
  return false
end

local function call(...)
  local r, bad = ask(...)
  if bad then fail(BADARG) end
  if type(r) == 'table' and r.err ~= nil then error(r, 0) end
  return r
end

local function pcallRedis(...)
  local r, bad = ask(...)
  if bad then return {err = BADARG} end
  return r
end

local function single(field, ...)
  local text = ...
  if select('#', ...) ~= 1 or type(text) ~= 'string' then
    return {err = 'ERR wrong number or type of arguments'}
  end
  return {[field] = text}
end

local api = {
  call = call,
  pcall = pcallRedis,
  error_reply = function(...)
    local text = ...
    if select('#', ...) ~= 1 or type(text) ~= 'string' then
      return {err = 'ERR wrong number or type of arguments'}
    end
    if sub(text, 1, 1) == '-' then text = sub(text, 2) end
    if not find(text, ' ', 1, true) then text = 'ERR ' .. text end
    return {err = text}
  end,
  status_reply = function(...) return single('ok', ...) end,
  sha1hex = function(...)
    if select('#', ...) ~= 1 then fail('ERR wrong number of arguments') end
    return sha1hex(...)
  end,
  log = function(...)
    local n = select('#', ...)
    if n < 2 then fail('ERR redis.log() requires two arguments or more.') end
    local level = ...
    if type(level) ~= 'number' then fail('ERR First argument must be a number (log level).') end
    if level < 0 or level > 3 then fail('ERR Invalid debug level.') end
    local text = {}
    for i = 2, n do
      local a = select(i, ...)
      if type(a) == 'string' or type(a) == 'number' then text[#text + 1] = tostring(a) end
    end
    rawlog(level, concat(text, ' '))
  end,
  setresp = function(...)
    if select('#', ...) ~= 1 then fail('ERR redis.setresp() requires one argument.') end
    local version = tonumber((...))
    if version ~= 2 and version ~= 3 then fail('ERR RESP version must be 2 or 3.') end
    rawsetresp(version)
    control('resp', version)
  end,
  set_repl = function(...)
    if select('#', ...) ~= 1 then fail('ERR redis.set_repl() requires two arguments.') end
    local flags = tonumber((...)) or -1
    if flags < 0 or flags > 3 then
      fail('ERR Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE.')
    end
  end,
  replicate_commands = function() return true end,
  breakpoint = function() return false end,
  debug = function() end,
  acl_check_cmd = function(...)
    if select('#', ...) == 0 then fail(NOARG) end
    if badArgument(...) then fail(BADARG) end
    local r = control('acl', ...)
    if type(r) == 'table' and r.err then fail(r.err) end
    return r == 1
  end,
  LOG_DEBUG = 0, LOG_VERBOSE = 1, LOG_NOTICE = 2, LOG_WARNING = 3,
  REPL_NONE = 0, REPL_AOF = 1, REPL_SLAVE = 2, REPL_REPLICA = 2, REPL_ALL = 3,
  REDIS_VERSION = '@VERSION@', REDIS_VERSION_NUM = @VERSION_NUM@,
}

-- ---- libraries

local function flagList(flags)
  if type(flags) ~= 'table' then fail('ERR flags argument to redis.register_function must be a table representing function flags') end
  local list = {}
  for i = 1, #flags do
    local flag = flags[i]
    if type(flag) ~= 'string' then fail('ERR unknown flag given') end
    if flag ~= 'no-writes' and flag ~= 'allow-oom' and flag ~= 'allow-stale' and flag ~= 'no-cluster'
      and flag ~= 'allow-cross-slot-keys' then fail('ERR unknown flag given') end
    list[#list + 1] = flag
  end
  return list
end

local function register(...)
  local n = select('#', ...)
  if not loading then fail('ERR redis.register_function can only be called on FUNCTION LOAD command') end
  local name, callback, description, flags
  if n == 1 then
    local spec = ...
    if type(spec) ~= 'table' then
      fail('ERR calling redis.register_function with a single argument is only applicable to Lua table (representing named arguments).')
    end
    for key, value in pairs(spec) do
      if type(key) ~= 'string' then fail('ERR named argument key given to redis.register_function is not a string') end
      if key == 'function_name' then
        if type(value) ~= 'string' then fail('ERR function_name argument given to redis.register_function must be a string') end
        name = value
      elseif key == 'description' then
        if type(value) ~= 'string' then fail('ERR description argument given to redis.register_function must be a string') end
        description = value
      elseif key == 'callback' then
        if type(value) ~= 'function' then fail('ERR callback argument given to redis.register_function must be a function') end
        callback = value
      elseif key == 'flags' then
        flags = flagList(value)
      else
        fail('ERR unknown argument given to redis.register_function')
      end
    end
    if not name then fail('ERR redis.register_function must get a function name argument') end
    if not callback then fail('ERR redis.register_function must get a callback argument') end
  elseif n == 2 then
    name, callback = ...
    if type(name) ~= 'string' then fail('ERR first argument to redis.register_function must be a string') end
    if type(callback) ~= 'function' then fail('ERR second argument to redis.register_function must be a function') end
  else
    fail('ERR wrong number of arguments to redis.register_function')
  end
  if #name == 0 or find(name, '[^%w_]') then
    fail('ERR Library names can only contain letters, numbers, or underscores(_) and must be at least one character long')
  end
  if loading.functions[name] then fail('ERR Function already exists in the library') end
  loading.functions[name] = callback
  loading.list[#loading.list + 1] = {name, description or false, flags or {}}
end

local loadApi = {
  register_function = register,
  log = api.log, error_reply = api.error_reply, status_reply = api.status_reply, sha1hex = api.sha1hex,
  LOG_DEBUG = 0, LOG_VERBOSE = 1, LOG_NOTICE = 2, LOG_WARNING = 3,
  REDIS_VERSION = api.REDIS_VERSION, REDIS_VERSION_NUM = api.REDIS_VERSION_NUM,
}
setmetatable(loadApi, lock({__index = function(_, key)
  error("Script attempted to access nonexistent global variable '" .. tostring(key) .. "'", 2)
end}))

-- ---- the driver

local line
local function onError(e)
  if ends(e) then return e end
  line = 0
  for level = 2, 30 do
    local _, place = pcall(error, '', level)
    local from, at = match(place, '^(.-):(%d+): $')
    if from == chunk then
      line = at
      break
    end
  end
  return e
end

local function textOf(e)
  if type(e) == 'table' then
    local text = rawget(e, 'err')
    if type(text) ~= 'string' then return 'ERR unknown error' end
    return text
  end
  if type(e) == 'string' or type(e) == 'number' then return 'ERR ' .. e end
  return 'ERR ' .. tostring(e)
end

-- What a script returns as the engine can take it: no metatables, and not too deep for its stack.
local TOODEEP = {}
local plain

local function replyOf(value, depth)
  local kind = type(value)
  if kind == 'table' then return plain(value, depth) end
  if kind == 'function' or kind == 'thread' or kind == 'userdata' then return {err = NILTEXT} end
  return value
end

local function plainPairs(t, depth)
  local out = {}
  for key, value in next, t do
    out[key] = replyOf(value, depth)
  end
  return out
end

function plain(t, depth)
  if depth > 900 then error(TOODEEP, 0) end
  local text = rawget(t, 'err')
  if type(text) == 'string' then return {err = text} end
  text = rawget(t, 'ok')
  if type(text) == 'string' then return {ok = text} end
  local value = rawget(t, 'double')
  if type(value) == 'number' then return {double = value} end
  value = rawget(t, 'map')
  if type(value) == 'table' then return {map = plainPairs(value, depth + 1)} end
  value = rawget(t, 'set')
  if type(value) == 'table' then return {set = plainPairs(value, depth + 1)} end
  value = rawget(t, 'big_number')
  if type(value) == 'string' then return {big_number = value} end
  value = rawget(t, 'verbatim_string')
  if type(value) == 'table' and type(rawget(value, 'string')) == 'string' and type(rawget(value, 'format')) == 'string' then
    return {verbatim_string = {string = rawget(value, 'string'), format = rawget(value, 'format')}}
  end
  local out, i = {}, 1
  while true do
    value = rawget(t, i)
    if value == nil then return out end
    out[i] = replyOf(value, depth + 1)
    i = i + 1
  end
end

local function plainResult(t)
  local ok, result = pcall(plain, t, 1)
  if ok then return result end
  if result == TOODEEP then return {err = 'ERR reached lua stack limit'} end
  error(result, 0)
end

-- an error that a command has answered is counted
local function tellCounted(e)
  if type(e) == 'table' and rawget(e, 'ignore_error_stats_update') == true then control('counted') end
end

local function finish(ok, ...)
  if ok then
    tellCounted((...))
    local kind = type((...))
    if kind == 'boolean' then rawsetresp(3) end
    if kind == 'function' or kind == 'thread' or kind == 'userdata' then return nil end
    if kind ~= 'table' then return (...) end
    rawsetresp(3)
    return plainResult((...))
  end
  local e = ...
  if e == END then control('fail', 'end', '', 0)
  elseif ends(e) then control('fail', 'fuel', '', 0)
  else
    tellCounted(e)
    control('fail', 'error', textOf(e), line or 0)
  end
  return nil
end

local operations = {}

function operations.define()
  local name, source = ARGV[1], ARGV[2]
  local f, problem = loadstring(source, '@user_script')
  if not f then
    control('fail', 'error', problem, 0)
    return nil
  end
  scripts[name] = f
end

function operations.forget()
  scripts = {}
end

function operations.run(name)
  chunk, line = 'user_script', 0
  return finish(xpcall(scripts[name], onError))
end

function operations.load()
  local name, code = ARGV[1], ARGV[2]
  chunk, line = 'user_function', 0
  local f, problem = loadstring(code, '@user_function')
  if not f then
    control('fail', 'error', 'ERR Error compiling function: ' .. problem, 0)
    return nil
  end
  loading = {functions = {}, list = {}}
  -- while a library is loaded it sees nothing but its own redis table, as in Redis
  control('open')
  local hidden = {}
  for key, value in next, G do
    hidden[key] = value
    G[key] = nil
  end
  rawset(G, 'redis', loadApi)
  control('shut')
  local ok, e = xpcall(f, onError)
  control('open')
  for key, value in next, hidden do rawset(G, key, value) end
  control('shut')
  local loaded = loading
  loading = nil
  if not ok then
    if ends(e) then control('fail', 'fuel', '', 0)
    else control('fail', 'error', 'ERR Error registering functions: ' .. textOf(e), line) end
    return nil
  end
  local old = libraries[name]
  if old then for known in pairs(old.functions) do functions[known] = nil end end
  libraries[name] = loaded
  for known, callback in pairs(loaded.functions) do functions[known] = callback end
  return loaded.list
end

function operations.unload()
  local old = libraries[ARGV[1]]
  if not old then return end
  libraries[ARGV[1]] = nil
  for known in pairs(old.functions) do functions[known] = nil end
end

function operations.call()
  local f, keys, args = functions[KEYS[1]], KEYS, ARGV
  local list = {}
  for i = 2, #keys do list[i - 1] = keys[i] end
  chunk, line = 'user_function', 0
  return finish(xpcall(function() return f(list, args) end, onError))
end

local function driver(operation, ...)
  return operations[operation](...)
end

@WIDESTRUCT@
control('open')
for _, t in ipairs({api, loadApi}) do lock(t) end
rawset(G, 'redis', api)
rawset(G, 'pcall', function(...) return caught(pcall(...)) end)
rawset(G, 'xpcall', function(f, handler)
  local ended
  local function handle(e)
    if ends(e) then
      ended = e
      return e
    end
    return handler(e)
  end
  local function result(ok, ...)
    if not ok and ended ~= nil then error(ended, 0) end
    return ok, ...
  end
  return result(xpcall(f, handle))
end)
control('open', tostring(coroutine))
rawset(coroutine, 'resume', function(...) return passed(resume(...)) end)
control('shut', tostring(coroutine))
control('open', tostring(string))
rawset(string, 'rep', repeated)
control('shut', tostring(string))
setmetatable(G, lock({__index = function(_, name)
  if name == '@SECRET@' then return driver end
  error("Script attempted to access nonexistent global variable '" .. tostring(name) .. "'", 2)
end}))
control('shut')
return 'ready'
`;

function luaText(text: string): string {
  return [...Buffer.from(text, 'latin1')].map((byte) => `\\${String(byte).padStart(3, '0')}`).join('');
}

/** The bootstrap for a driver behind `secret` (letters and digits). */
export function bootstrapSource(secret: string, version: string): string {
  const [major, minor, patch] = version.split('.').map(Number);
  return SOURCE.replace('@WIDESTRUCT@', () => WIDE_STRUCT)
    .replace('@END@', luaText(END_TEXT))
    .replace('@NIL@', luaText(NIL_TEXT))
    .replace('@FUEL@', FUEL_TEXT)
    .replace('@VERSION@', version)
    .replace('@VERSION_NUM@', String((major << 16) | (minor << 8) | patch))
    .replace('@SECRET@', secret);
}
