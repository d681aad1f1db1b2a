// A chat with Node and ws. Its argument is the port.

import { WebSocket, WebSocketServer } from "ws";

const rooms = new Map();
const server = new WebSocketServer({ host: "127.0.0.1", port: Number(process.argv[2]) });

server.on("connection", (socket, request) => {
  const members = rooms.get(request.url) ?? new Set();
  rooms.set(request.url, members.add(socket));
  socket.on("message", (data) => {
    const frame = JSON.stringify({ message: JSON.parse(data).message });
    for (const member of members) {
      if (member.readyState === WebSocket.OPEN) {
        member.send(frame);
      }
    }
  });
  socket.on("close", () => members.delete(socket));
});
