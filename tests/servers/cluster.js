// A cluster of four, as Node's manual has it; POLICY=none: the workers share the socket, rr: the master accepts.
const cluster = require("cluster");
const http = require("http");

cluster.schedulingPolicy = process.env.POLICY === "none" ? cluster.SCHED_NONE : cluster.SCHED_RR;

function answer(request, response) {
  response.writeHead(200, { "X-Worker": process.pid, Connection: "close" });
  response.end("served\n");
}

if (cluster.isPrimary) {
  for (let i = 0; i < 4; i++) cluster.fork();
} else {
  http.createServer(answer).listen(Number(process.argv[2]), "127.0.0.1");
}
