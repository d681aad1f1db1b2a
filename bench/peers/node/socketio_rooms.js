// A chat with Node and Socket.IO; with REDIS_URL its messages go through Redis.

import { createAdapter } from "@socket.io/redis-adapter";
import { createServer } from "node:http";
import { createClient } from "redis";
import { Server } from "socket.io";

const http = createServer();
const io = new Server(http);
if (process.env.REDIS_URL) {
  const publisher = createClient({ url: process.env.REDIS_URL });
  const subscriber = publisher.duplicate();
  await Promise.all([publisher.connect(), subscriber.connect()]);
  io.adapter(createAdapter(publisher, subscriber));
}

io.on("connection", (socket) => {
  const { room } = socket.handshake.query;
  socket.join(room);
  socket.on("message", ({ message }) => io.to(room).emit("message", { message }));
});
http.listen(Number(process.argv[2]), "127.0.0.1");
