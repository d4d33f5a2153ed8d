-- wrk script: post.lua's request over and over, and how often an answer said what, one line of JSON each.
-- Arguments: those of post.lua, then the names of the answer's headers that are counted together.

dofile(os.getenv("POST_LUA"))

local of_post, threads, names = init, {}, {}
counts = {} -- global, so that done() can ask each thread for its own

function setup(thread)
    table.insert(threads, thread)
end

function init(args)
    of_post(args)
    for at = 4, #args do
        names[at - 3] = args[at]
    end
end

function response(status, headers, body)
    local said = '"' .. status .. '"'
    for _, name in ipairs(names) do
        said = said .. ',"' .. (headers[name] or "") .. '"'
    end
    counts[said] = (counts[said] or 0) + 1
end

function done(summary, latency, requests)
    local e = summary.errors
    io.write(string.format('\nLOST %d\n', e.connect + e.read + e.write + e.timeout))
    for _, thread in ipairs(threads) do
        for said, times in pairs(thread:get("counts")) do
            io.write('TOLD {"said":[' .. said .. '],"times":' .. times .. "}\n")
        end
    end
end
