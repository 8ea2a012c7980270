import net from 'node:net';

/**
 * Below the ports that systems give to outgoing connections (Linux: from 32768; others: from 49152). One of those may be
 * taken at any moment while the process that had it is down.
 */
const FIRST = 10_000;
const LAST = 32_767;

// Plain JavaScript, so that a broker starts before anything is built; its types are in free-port.d.ts.
export async function freePort() {
  for (;;) {
    const port = FIRST + Math.floor(Math.random() * (LAST - FIRST + 1));
    if (await isFree(port)) return port;
  }
}

function isFree(port) {
  return new Promise((resolve, reject) => {
    const server = net.createServer();
    server.once('error', (error) =>
      error.code === 'EADDRINUSE' || error.code === 'EACCES' ? resolve(false) : reject(error),
    );
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
