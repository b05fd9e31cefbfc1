'use strict';

// Checks npm's node-zookeeper-client: client_checks.js CONNECT_STRING BASE_PATH [PART_OF_A_NAME]
// Prints "PASS name" or "FAIL name: why"; the exit code is 0, 1 when something failed, 2 when nothing ran.

const assert = require('assert');
const crypto = require('crypto');
const { once } = require('events');
const zookeeper = require('node-zookeeper-client');
const { Session, call, eventually, within } = require('./session');

const { CreateMode, Exception, ACL } = zookeeper;
const EventName = Object.fromEntries(Object.entries(zookeeper.Event)
  .filter(([, value]) => typeof value === 'number').map(([name, value]) => [value, name]));

const EMPTY = Buffer.alloc(0);

let servers;
let root;
let exact;
let session;

async function fails(code, body) {
  await assert.rejects(body, (error) => {
    assert.strictEqual(error.code, code, `${error.message} instead of ${code}`);
    return true;
  });
}

// The client has a removeRecursive, but with the version of async that it installs it sees one level only.
async function removeAll(path) {
  for (const child of await session.children(path)) {
    await removeAll(`${path}/${child}`);
  }
  await session.remove(path);
}

const checks = {
  async nodes_of_every_kind() {
    const folder = `${root}/kinds`;
    assert.strictEqual(await session.create(folder, Buffer.from('x')), folder);
    assert.strictEqual(await session.create(`${folder}/s-`, null, CreateMode.PERSISTENT_SEQUENTIAL),
      `${folder}/s-0000000000`);
    await session.create(`${folder}/e`, null, CreateMode.EPHEMERAL);
    assert.strictEqual(await session.create(`${folder}/e-`, null, CreateMode.EPHEMERAL_SEQUENTIAL),
      `${folder}/e-0000000002`);
    assert.deepStrictEqual(await session.children(folder), ['e', 'e-0000000002', 's-0000000000']);
    const stat = await session.exists(`${folder}/e`);
    assert.strictEqual(stat.ephemeralOwner.toString('hex'), session.id(), 'the owner is the session');
    await session.remove(`${folder}/e`, 0);
    assert.strictEqual(await session.exists(`${folder}/e`), null);
  },

  async data_is_kept() {
    const path = await session.create(`${root}/data`, Buffer.from('x'));
    for (const data of [Buffer.alloc(0), Buffer.from('\u00e4\u4e2d'), crypto.randomBytes(1000000)]) {
      const set = await session.set(path, data);
      const read = await session.get(path);
      assert.ok(read.data === undefined ? data.length === 0 : data.equals(read.data), `${data.length} bytes`);
      assert.deepStrictEqual(read.stat, set);
    }
  },

  async errors_are_the_servers_own() {
    const path = await session.create(`${root}/errors`, null);
    await session.create(`${path}/e`, null, CreateMode.EPHEMERAL);
    await fails(Exception.NO_NODE, session.get(`${path}/none`));
    await fails(Exception.NODE_EXISTS, session.create(path, null));
    await fails(Exception.NOT_EMPTY, session.remove(path));
    await fails(Exception.BAD_VERSION, session.set(path, EMPTY, 7));
    await fails(Exception.NO_CHILDREN_FOR_EPHEMERALS, session.create(`${path}/e/x`, null));
    assert.strictEqual(await session.exists(`${path}/none`), null);
  },

  async a_whole_path_is_made_and_removed() {
    const path = `${root}/a/b/c`;
    await call(session.client, 'mkdirp', path);
    assert.ok(await session.exists(path));
    await removeAll(`${root}/a`);
    assert.strictEqual(await session.exists(`${root}/a`), null);
  },

  async transaction_is_all_or_nothing() {
    const path = `${root}/transaction`;
    const results = await new Promise((resolve, reject) => session.transaction()
      .create(path, Buffer.from('1')).create(`${path}/s-`, Buffer.from('x'), CreateMode.PERSISTENT_SEQUENTIAL)
      .setData(path, Buffer.from('2'), 0).check(path, 1)
      .commit((error, all) => (error ? reject(error) : resolve(all))));
    assert.strictEqual(results[0].path, path);
    assert.strictEqual(results[1].path, `${path}/s-0000000000`);
    assert.strictEqual(results[2].stat.version, 1);
    const [error, failed] = await new Promise((resolve) => session.transaction()
      .setData(path, Buffer.from('3'), -1).check(`${path}/none`, 0).remove(path, -1)
      .commit((...both) => resolve(both)));
    assert.strictEqual(error.code, Exception.NO_NODE);
    assert.deepStrictEqual(failed.map((result) => result.err),
      [Exception.OK, Exception.NO_NODE, Exception.RUNTIME_INCONSISTENCY]);
    assert.strictEqual((await session.get(path)).data.toString(), '2');
  },

  async replies_come_in_order() {
    const path = await session.create(`${root}/order`, Buffer.from('x'));
    const order = [];
    const all = [];
    for (let i = 0; i < 500; i += 1) {
      all.push(session.set(path, Buffer.from(`v${i}`)).then(() => order.push(`w${i}`)));
      all.push(session.get(path).then((read) => order.push(`r${i} ${read.data}`)));
    }
    await within(Promise.all(all), 'all replies');
    assert.deepStrictEqual(order, Array.from({ length: 500 }, (_, i) => [`w${i}`, `r${i} v${i}`]).flat());
  },

  async watches_fire_once() {
    const path = await session.create(`${root}/watched`, null);
    const other = await Session.open(servers);
    await eventually('it is there', () => other.exists(path));
    const events = [];
    const log = (event) => events.push(`${EventName[event.type]} ${event.path}`);
    await other.get(path, log);
    await other.children(path, log);
    assert.strictEqual(await other.exists(`${path}/child`, log), null);
    for (let i = 0; i < 2; i += 1) {
      await session.set(path, Buffer.from('y'));
      await session.create(`${path}/child`, null);
      await session.remove(`${path}/child`);
    }
    await session.create(`${path}/last`, null);
    await eventually('it sees the last change', () => other.exists(`${path}/last`));
    assert.deepStrictEqual(events.sort(), [`NODE_CHILDREN_CHANGED ${path}`, `NODE_CREATED ${path}/child`,
      `NODE_DATA_CHANGED ${path}`]);
    await other.close();
  },

  async watches_survive_a_reconnect() {
    for (const name of ['changed', 'gone', 'quiet', 'own']) {
      await session.create(`${root}/${name}`, null);
    }
    const other = await Session.open(servers);
    await eventually('it is there', () => other.exists(`${root}/own`));
    const events = [];
    const log = (event) => events.push(`${EventName[event.type]} ${event.path}`);
    for (const name of ['changed', 'gone', 'quiet', 'made']) {
      await other.exists(`${root}/${name}`, log);
    }
    const id = other.id();
    await other.move();
    await session.set(`${root}/changed`, EMPTY);
    await session.remove(`${root}/gone`);
    await session.create(`${root}/made`, null);
    // A write finds out about the move, at the latest; it fails with the connection and is sent again.
    await eventually('it writes again', () => other.set(`${root}/own`, EMPTY).then(() => true, (error) => {
      assert.strictEqual(error.code, Exception.CONNECTION_LOSS);
      return false;
    }));
    await eventually('it has reconnected', () => other.connections >= 2);
    assert.strictEqual(other.id(), id, 'the session is the same');
    const expected = [`NODE_CREATED ${root}/made`, `NODE_DATA_CHANGED ${root}/changed`, `NODE_DELETED ${root}/gone`];
    if (exact) {
      await eventually('three events', () => events.length >= 3);
      assert.deepStrictEqual(events.sort(), expected);
    }
    await session.set(`${root}/quiet`, EMPTY);
    // In a mount a watch may also fire for nothing after a reconnect, before the change: what the client has seen of
    // that cluster its request does not tell, and an event too many is better than one lost.
    await eventually(() => `four events: ${events}`, () => events.length >= 4);
    assert.deepStrictEqual(events.map((event) => event.split('/').pop()).sort(), ['changed', 'gone', 'made', 'quiet'],
      'each watch fires once');
    await other.close();
  },

  async ephemerals_go_when_the_session_closes() {
    const other = await Session.open(servers);
    const path = await other.create(`${root}/ephemeral`, null, CreateMode.EPHEMERAL);
    await eventually('it is seen', () => session.exists(path));
    let gone;
    const event = new Promise((resolve) => { gone = resolve; });
    await session.exists(path, gone);
    await other.close();
    assert.strictEqual(EventName[(await within(event, 'an event')).type], 'NODE_DELETED');
    assert.strictEqual(await session.exists(path), null);
  },

  async an_ended_session_is_told_that_it_expired() {
    const other = await Session.open(servers);
    const expired = once(other.client, 'expired');
    await other.kill();
    await within(expired, 'expired');
    other.client.close();
  },

  async acls_keep_strangers_out() {
    // exists of a znode that one may not read is refused from 3.8.4 and 3.9.2 on.
    const unreadable = (error) => error.getCode && error.getCode() === Exception.NO_AUTH;
    const owner = await Session.open(servers, (client) => client.addAuthInfo('digest', Buffer.from('owner:secret')));
    const path = await owner.create(`${root}/acl`, Buffer.from('x'), CreateMode.PERSISTENT, ACL.CREATOR_ALL_ACL);
    const acls = (await call(owner.client, 'getACL', path))[0];
    assert.strictEqual(acls[0].id.scheme, 'digest');
    await eventually('it is there', () => session.exists(path).catch(unreadable));
    await fails(Exception.NO_AUTH, session.get(path));
    await fails(Exception.NO_AUTH, session.set(path, EMPTY));
    assert.strictEqual((await owner.get(path)).data.toString(), 'x');
    await owner.remove(path);
    await owner.close();
    await eventually('it is gone', async () => !(await session.exists(path)));
  },
};

async function run(name, body) {
  const started = Date.now();
  let outcome = `PASS ${name}`;
  try {
    await within(body(), 'the check', 60);
  } catch (error) {
    outcome = `FAIL ${name}: ${String(error.message).replace(/\n/g, ' ')}`;
  }
  console.log(`${outcome} (${Date.now() - started} ms)`);
  return outcome.startsWith('PASS');
}

async function main() {
  if (process.argv.length < 4) {
    console.error('usage: client_checks.js CONNECT_STRING BASE_PATH [PART_OF_A_NAME]');
    return 2;
  }
  servers = process.argv[2];
  exact = process.argv[3] === '/';
  root = `${process.argv[3].replace(/\/$/, '')}/node-${crypto.randomUUID()}`;
  const names = Object.keys(checks).filter((name) => name.includes(process.argv[4] || ''));
  session = await Session.open(servers);
  await call(session.client, 'mkdirp', root);
  let failed = 0;
  for (const name of names) {
    failed += (await run(name, checks[name])) ? 0 : 1;
  }
  await removeAll(root);
  await session.close();
  console.log(`${names.length - failed} passed, ${failed} failed`);
  return names.length === 0 ? 2 : failed ? 1 : 0;
}

main().then((code) => process.exit(code), (error) => {
  console.log(`FAIL the run: ${error.stack}`);
  process.exit(1);
});
