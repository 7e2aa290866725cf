-- What wrk sends: batches of known tokens, drawn at random, from a file with one a line.
local tokens = {}
for line in io.lines(os.getenv("SEALIFT_BENCH_TOKENS")) do tokens[#tokens + 1] = '"' .. line .. '"' end
local batch = tonumber(os.getenv("SEALIFT_BENCH_BATCH"))
local each = os.getenv("SEALIFT_BENCH_REASONS") == "each"
local headers = {
  ["content-type"] = "application/json",
  ["authorization"] = "Bearer " .. os.getenv("SEALIFT_BENCH_CREDENTIAL"),
}
local count = 0
local seeded = 0

function init(args)
  math.randomseed(os.time() + tonumber(tostring({}):match("0x(%x+)"), 16) % 100000)
  seeded = math.random(1, 1000000000)
end

function request()
  count = count + 1
  local picked = {}
  for i = 1, batch do picked[i] = tokens[math.random(#tokens)] end
  local reason = each and ("case " .. seeded .. "-" .. count) or "case 4711"
  local body = '{"purpose":"bench","reason":"' .. reason .. '","tokens":[' .. table.concat(picked, ",") .. "]}"
  return wrk.format("POST", nil, headers, body)
end
