-- wrk script: sets or gets 100,000 keys at random over the HTTP API.
--
--   wrk -t1 -c64 -s data-api.lua URL -- PREFIX OPERATION      PREFIX: /kv or /api, OPERATION: set or get

local keys = 100000
local requests = {}

function init(arguments)
    local prefix, operation = arguments[1], arguments[2]
    local value = string.rep("x", 100)
    for number = 0, keys - 1 do
        local query = string.format("%s/%s?key=key:%012d", prefix, operation, number)
        if operation == "set" then
            requests[number] = wrk.format("PUT", query, { ["Content-Type"] = "application/octet-stream" }, value)
        else
            requests[number] = wrk.format("GET", query)
        end
    end
    math.randomseed(1)
end

function request()
    return requests[math.random(0, keys - 1)]
end
