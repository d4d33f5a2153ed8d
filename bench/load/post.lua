-- wrk script: one POST over and over, its result as a line of JSON.
-- Arguments: the file with the body, then the file with one "name: value" header a line, and the method (POST).

function init(args)
    local file = assert(io.open(args[1], "rb"))
    wrk.method, wrk.body = args[3] or "POST", file:read("*a")
    file:close()
    for line in io.lines(args[2]) do
        local name, value = line:match("^([^:]+): (.*)$")
        wrk.headers[name] = value
    end
end

function done(summary, latency, requests)
    local e = summary.errors
    io.write(string.format(
        '\nRESULT {"requests":%d,"duration_us":%d,"bytes":%d,"p50_us":%d,"p90_us":%d,"p99_us":%d,"max_us":%d,' ..
        '"errors":{"connect":%d,"read":%d,"write":%d,"status":%d,"timeout":%d}}\n',
        summary.requests, summary.duration, summary.bytes,
        latency:percentile(50), latency:percentile(90), latency:percentile(99), latency.max,
        e.connect, e.read, e.write, e.status, e.timeout))
end
