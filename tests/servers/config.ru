# The Rack application that puma serves in the tests: it says which process answered.
headers = { "content-type" => "text/plain", "content-length" => "7", "connection" => "close" }
run ->(_) { [200, headers.merge("x-worker" => Process.pid.to_s), ["served\n"]] }
