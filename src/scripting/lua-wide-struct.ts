/**
 * Integers of 8 bytes for the library struct: in the engine a long has 4 bytes, in Redis 8. Formats that ask for such integers (l, L, T,
 * i8, I8) are packed and unpacked as two halves each; all others go to the library as they are. Not with alignment (`!`).
 */
export const WIDE_STRUCT = `
do
  local gsub, floor, ceil, concat = string.gsub, math.floor, math.ceil, table.concat
  local library, originalPack, originalUnpack, originalSize = struct, struct.pack, struct.unpack, struct.size
  local HALF = 4294967296

  -- an error of the library, as if the script had called it
  local function told(name, ok, ...)
    if ok then return ... end
    error(gsub(gsub((...), "'%?'", "'" .. name .. "'"), '^bootstrap:%d+: ', ''), 3)
  end

  -- the format in halves, and of each value what it is: false, or how its halves stand. nil: nothing is wide
  local function inHalves(asked, unpacks)
    if type(asked) ~= 'string' or not find(asked, '[lLT8]') or find(asked, '!', 1, true) then return nil end
    local out, kinds, isBig, any = {}, {}, false, false
    local at = 1
    while at <= #asked do
      local _, last, letter, digits = find(asked, '^(.)(%d*)', at)
      at = last + 1
      local isWide = letter == 'l' or letter == 'L' or letter == 'T' or ((letter == 'i' or letter == 'I') and digits == '8')
      if letter == '>' then isBig = true
      elseif letter == '<' or letter == '=' then isBig = false end
      if isWide and sub(asked, at, at + 1) == 'c0' then
        -- the length of what follows
        kinds[#kinds + 1] = false
        out[#out + 1] = isBig and 'xxxxI4' or 'I4xxxx'
        any = true
      elseif isWide then
        local isSigned = letter == 'l' or letter == 'i'
        local high = isSigned and 'i4' or 'I4'
        kinds[#kinds + 1] = {isSigned = isSigned, isBig = isBig}
        out[#out + 1] = isBig and high .. 'I4' or 'I4' .. high
        any = true
      else
        -- c0 takes the length off that stands before it
        local isTaken = unpacks and letter == 'c' and digits == '0'
        if not isTaken and find(letter, '[bBhHiIsfdc]') then kinds[#kinds + 1] = false end
        out[#out + 1] = letter .. digits
      end
    end
    if any then return concat(out), kinds end
  end

  local function pack(asked, ...)
    local halves, kinds = inHalves(asked)
    local n = select('#', ...)
    if not halves or n < #kinds then return told('pack', pcall(originalPack, asked, ...)) end
    local given, args, count = {...}, {}, 0
    for i = 1, n do
      local value, kind = given[i], kinds[i]
      if not kind then
        count = count + 1
        args[count] = value
      else
        value = tonumber(value)
        if not value then return told('pack', pcall(originalPack, asked, ...)) end
        value = value < 0 and ceil(value) or floor(value)
        local low = value % HALF
        local high = (value - low) / HALF
        if not kind.isSigned then high = high % HALF end
        args[count + 1] = kind.isBig and high or low
        args[count + 2] = kind.isBig and low or high
        count = count + 2
      end
    end
    return told('pack', pcall(originalPack, halves, unpack(args, 1, count)))
  end

  local function joined(kinds, ...)
    local got, out, at = {...}, {}, 1
    for i = 1, #kinds do
      local kind = kinds[i]
      if kind then
        local high, low = got[at + 1], got[at]
        if kind.isBig then high, low = low, high end
        out[i] = high * HALF + low
        at = at + 2
      else
        out[i] = got[at]
        at = at + 1
      end
    end
    -- the position behind them
    out[#kinds + 1] = got[at]
    return unpack(out, 1, #kinds + 1)
  end

  local function unpackWide(asked, ...)
    local halves, kinds = inHalves(asked, true)
    if not halves then return told('unpack', pcall(originalUnpack, asked, ...)) end
    return joined(kinds, told('unpack', pcall(originalUnpack, halves, ...)))
  end

  local function size(asked, ...)
    return told('size', pcall(originalSize, inHalves(asked) or asked, ...))
  end

  control('open', tostring(library))
  rawset(library, 'pack', pack)
  rawset(library, 'unpack', unpackWide)
  rawset(library, 'size', size)
  control('shut', tostring(library))
end
`;
