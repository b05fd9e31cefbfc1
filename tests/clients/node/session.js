'use strict';

// A promise for each of the client's operations, and what a second holder of its session can do to it.

const net = require('net');
const { once } = require('events');
const zookeeper = require('node-zookeeper-client');

const TIMEOUT_MS = 10000;
const CLOSE_SESSION = -11;

function call(client, method, ...args) {
  return new Promise((resolve, reject) =>
    client[method](...args, (error, ...results) => (error ? reject(error) : resolve(results))));
}

function watchers(watcher) {
  return watcher ? [watcher] : [];
}

class Session {
  static async open(servers, prepare) {
    const session = new Session();
    session.servers = servers;
    session.client = zookeeper.createClient(servers, { sessionTimeout: TIMEOUT_MS, spinDelay: 100, retries: 0 });
    session.connections = 0;
    session.client.on('connected', () => { session.connections += 1; });
    if (prepare) {
      prepare(session.client);
    }
    session.client.connect();
    await within(once(session.client, 'connected'), 'connected');
    return session;
  }

  async create(path, data, mode = zookeeper.CreateMode.PERSISTENT, acl = zookeeper.ACL.OPEN_ACL_UNSAFE) {
    return (await call(this.client, 'create', path, data, acl, mode))[0];
  }

  async get(path, watcher) {
    const [data, stat] = await call(this.client, 'getData', path, ...watchers(watcher));
    return { data, stat };
  }

  async exists(path, watcher) {
    return (await call(this.client, 'exists', path, ...watchers(watcher)))[0] || null;
  }

  async children(path, watcher) {
    return (await call(this.client, 'getChildren', path, ...watchers(watcher)))[0].sort();
  }

  async set(path, data, version = -1) {
    return (await call(this.client, 'setData', path, data, version))[0];
  }

  async remove(path, version = -1) {
    await call(this.client, 'remove', path, version);
  }

  transaction() {
    return this.client.transaction();
  }

  id() {
    return this.client.getSessionId().toString('hex');
  }

  // Closes the session and waits until the server has closed the connection.
  async close() {
    const gone = once(this.client, 'disconnected');
    this.client.close();
    await within(gone, 'disconnected');
  }

  // Takes the connection away but not the session: attaches to it from a socket of its own and lets go. It is
  // tried again when the owner, coming back at once, gets in between: a server then drops either of the two.
  async move() {
    await eventually('the session moves', async () => (await attach(this)) > 0);
  }

  // Ends the session for good, as its owner would: attaches and closes it, until nobody can attach to it any more.
  async kill() {
    const close = Buffer.alloc(12);
    close.writeInt32BE(8, 0);
    close.writeInt32BE(1, 4);
    close.writeInt32BE(CLOSE_SESSION, 8);
    await eventually('the session has ended', async () => (await attach(this, close)) === 0);
  }
}

// Sends a ConnectRequest for the session, and what is to follow it, over a connection of its own. Returns the
// timeout in the reply, which is 0 for a session that is over, or undefined when there was no reply.
async function attach(session, following = Buffer.alloc(0)) {
  const [host, port] = session.servers.split(',')[0].split(':');
  const password = session.client.getSessionPassword();
  const request = Buffer.alloc(4 + 4 + 8 + 4 + 8 + 4 + password.length + 1);
  request.writeInt32BE(request.length - 4, 0);
  request.writeInt32BE(TIMEOUT_MS, 16);
  session.client.getSessionId().copy(request, 20);
  request.writeInt32BE(password.length, 28);
  password.copy(request, 32);
  const socket = net.connect(Number(port), host);
  try {
    socket.setTimeout(2000, () => socket.destroy());
    socket.write(Buffer.concat([request, following]));
    const closed = once(socket, 'close').then(() => []);
    const [reply] = await Promise.race([once(socket, 'data'), closed]);
    return reply && reply.length >= 12 ? reply.readInt32BE(8) : undefined;
  } finally {
    socket.destroy();
  }
}

function within(promise, what, seconds = 20) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not within ${seconds} s: ${what}`)), seconds * 1000);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

async function eventually(what, holds, seconds = 20) {
  const deadline = Date.now() + seconds * 1000;
  while (!(await holds())) {
    if (Date.now() > deadline) {
      throw new Error(`not within ${seconds} s: ${typeof what === 'function' ? what() : what}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

module.exports = { Session, call, eventually, within };
