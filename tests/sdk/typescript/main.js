// The checklist of tests/sdk/checklist.py in the official TypeScript SDK: a worker and a client that print what they saw, a line of JSON a check.
const { Client, Connection, WithStartWorkflowOperation, WorkflowFailedError } = require('@temporalio/client');
const { defineSearchAttributeKey } = require('@temporalio/common');
const { DefaultLogger, NativeConnection, Runtime, Worker } = require('@temporalio/worker');
const { activities } = require('./activities');

const UNIQUE = `${Date.now()}`;
const QUEUE = `typescript-${UNIQUE}`;
const SECONDS = 40;
const KEYWORD = defineSearchAttributeKey('SdkKeyword', 'KEYWORD');
const NUMBER = defineSearchAttributeKey('SdkNumber', 'INT');

// A way for activities to tell the checks something, by a name.
class Notes {
  texts = new Map();
  waiting = new Map();
  tell(name, text) {
    const next = (this.waiting.get(name) ?? []).shift();
    if (next) next(text);
    else this.texts.set(name, [...(this.texts.get(name) ?? []), text]);
  }
  hear(name) {
    const texts = this.texts.get(name) ?? [];
    if (texts.length) return Promise.resolve(texts.shift());
    return new Promise((resolve) => this.waiting.set(name, [...(this.waiting.get(name) ?? []), resolve]));
  }
}

const notes = new Notes();
let client;

const options = (id, more) => ({ workflowId: id + UNIQUE, taskQueue: QUEUE, ...more });
const start = (id, type, args = [], more = {}) => client.workflow.start(type, options(id, { args, ...more }));

async function closed(run) {
  await run.signal('close');
  return run.result();
}

async function until(true_) {
  for (const began = Date.now(); !(await true_()); await new Promise((r) => setTimeout(r, 50)))
    if (Date.now() - began > 20_000) throw new Error('it did not come true');
}

const status = async (id) => (await client.workflow.getHandle(id).describe()).status.name.toLowerCase();
const refused = (promise) => promise.then(() => false, () => true);
const notEnough = (promise) => promise.then((value) => value, (error) => String(error.cause).includes('not enough'));

const answered = (type, args = [], more = {}) => async (id) => {
  const run = await start(id, type, args, more);
  return [run, { answer: await run.result() }];
};
const parent = (what) => answered('Parent', [what]);
const activity = (what) => answered('Activities', [what, '']);
const locals = (what, more) => answered('Locals', [what], more);

const poke = (how) => async (id) => {
  const run = await start(id, 'Poke', [how, 'nobody']);
  return [run, { poke: await run.result() }];
};

async function updateWithStart(id, amount) {
  const startWorkflowOperation = new WithStartWorkflowOperation('Account', options(id, { workflowIdConflictPolicy: 'USE_EXISTING' }));
  const updated = client.workflow.executeUpdateWithStart('add', { args: [amount], startWorkflowOperation });
  const value = await notEnough(updated);
  return [value, await startWorkflowOperation.workflowHandle()];
}

async function labelled(id) {
  const run = await start(id, 'Labelled', [], {
    typedSearchAttributes: [{ key: KEYWORD, value: 'before' }],
    memo: { kept: 'before', changed: 'before', gone: 'before' },
  });
  await until(async () => (await run.describe()).historyLength > 5);
  return run;
}

const checks = {
  'update accepted': async (id) => {
    const run = await start(id, 'Account');
    return [run, { result: await run.executeUpdate('add', { args: [5] }), balance: await closed(run) }];
  },
  'update rejected by its validator': async (id) => {
    const run = await start(id, 'Account');
    return [run, { 'not enough': await notEnough(run.executeUpdate('add', { args: [-5] })), balance: await closed(run) }];
  },
  'update failed after its acceptance': async (id) => {
    const run = await start(id, 'Account');
    const failure = await run.executeUpdate('refuse').catch((error) => `${error.cause.type}: ${error.cause.message}`);
    return [run, { failure, balance: await closed(run) }];
  },
  'update with an activity': async (id) => {
    const run = await start(id, 'Account');
    return [run, { result: await run.executeUpdate('slowly', { args: [4] }), balance: await closed(run) }];
  },
  'update sent twice': async (id) => {
    const run = await start(id, 'Account');
    const send = () => run.executeUpdate('add', { args: [5], updateId: 'one' });
    return [run, { results: [await send(), await send()], balance: await closed(run) }];
  },
  'update fetched by its id': async (id) => {
    const run = await start(id, 'Account');
    await run.startUpdate('slowly', { args: [3], updateId: 'u', waitForStage: 'ACCEPTED' });
    return [run, { result: await run.getUpdateHandle('u').result(), balance: await closed(run) }];
  },
  'update with start': async (id) => {
    const [first, run] = await updateWithStart(id, 3);
    const { runId } = await run.describe();
    const [second, again] = await updateWithStart(id, 4);
    const same = runId === (await again.describe()).runId;
    return [run, { first, second, 'same run': same, balance: await closed(run) }];
  },
  'update with start rejected by its validator': async (id) => {
    const [value, run] = await updateWithStart(id, -3);
    return [run, { 'not enough': value, balance: await closed(run) }];
  },
  'child completes': parent('answer'),
  'child of a child': parent('deep'),
  'child fails': parent('fail'),
  'child is cancelled': parent('cancel'),
  'child times out': parent('time out'),
  'child id is in use': parent('in use'),
  'child is signalled': parent('listen'),
  'child is terminated': async (id) => {
    const run = await start(id, 'Parent', ['wait']);
    const child = client.workflow.getHandle(`${run.workflowId} child`);
    await until(() => child.terminate('enough').then(() => true, () => false));
    return [run, { answer: await run.result() }];
  },
  'parent close policies': async (id) => {
    const run = await start(id, 'Family');
    await run.result();
    const [terminated, cancelled, abandoned] = ['TERMINATE', 'REQUEST_CANCEL', 'ABANDON'].map((p) => `${run.workflowId} ${p}`);
    await until(async () => (await status(terminated)) !== 'running' && (await status(cancelled)) !== 'running');
    const seen = { terminate: await status(terminated), abandon: await status(abandoned) };
    await client.workflow.getHandle(abandoned).terminate('enough');
    const cancel = (await status(cancelled)).replace('cancelled', 'canceled');
    return [run, { ...seen, 'request cancel': cancel }];
  },
  'signal from a workflow': async (id) => {
    const other = await start(`${id}other `, 'Leaf', ['listen']);
    const run = await start(id, 'Poke', ['signal', other.workflowId]);
    return [run, { poke: await run.result(), other: await other.result() }];
  },
  'signal from a workflow to nobody': poke('signal'),
  'cancel from a workflow': async (id) => {
    const other = await start(`${id}other `, 'Leaf', ['wait']);
    const run = await start(id, 'Poke', ['cancel', other.workflowId]);
    const poked = await run.result();
    const cancelled = await other.result().catch((error) => error.cause.name === 'CancelledFailure');
    return [run, { poke: poked, 'other cancelled': cancelled }];
  },
  'cancel from a workflow to nobody': poke('cancel'),
  'continue as new': answered('Countdown', [3]),
  'signal carried over continue as new': async (id) => {
    const run = await start(id, 'Disturbed', [100, 'signal']);
    return [run, { total: await run.result() }];
  },
  'update carried over continue as new': async (id) => {
    const run = await start(id, 'Disturbed', [100, 'update']);
    return [run, { total: await run.result(), update: await notes.hear(`updated ${run.workflowId}`) }];
  },
  'workflow cancelled and cleaned up': async (id) => {
    const run = await start(id, 'Tidy', [id]);
    await until(async () => (await run.describe()).historyLength >= 5);
    await run.cancel();
    const cancelled = await run.result().catch((error) => error.cause.name === 'CancelledFailure');
    return [run, { cancelled, cleanup: await notes.hear(id) }];
  },
  'workflow does not mind its cancellation': async (id) => {
    const run = await start(id, 'Stubborn');
    await until(async () => (await run.describe()).historyLength >= 5);
    await run.cancel();
    return [run, { answer: await run.result() }];
  },
  'activity cancelled by its heartbeat': async (id) => {
    const run = await start(id, 'Activities', ['cancel', id]);
    await notes.hear(id);
    await run.signal('stop');
    return [run, { activity: await notes.hear(id), answer: await run.result() }];
  },
  'activity goes on from its heartbeat': activity('resumed'),
  'activity retried': activity('retried'),
  'activity fails for good': activity('broken'),
  'activity misses its heartbeat': activity('silent'),
  'activity takes too long twice': activity('slow'),
  'activity is not picked up': activity('nobody'),
  'activity completed from outside': async (id) => {
    const run = await start(id, 'Activities', ['outside', id]);
    await client.activity.complete(await notes.hear(id), 'from outside');
    return [run, { answer: await run.result() }];
  },
  'local activity': locals('echo'),
  'local activity retried': locals('retried'),
  'local activity fails': locals('broken'),
  'local activity beats for its workflow task': locals('long', { workflowTaskTimeout: '3 seconds' }),
  'signals in order': async (id) => {
    const run = await start(id, 'Letters');
    for (const word of 'abc.') await run.signal('letter', word);
    return [run, { answer: await run.result() }];
  },
  'signal with start': async (id) => {
    const send = (word) => client.workflow.signalWithStart('Letters', options(id, { signal: 'letter', signalArgs: [word] }));
    const [run, again] = [await send('a'), await send('.')];
    return [run, { 'same run': run.signaledRunId === again.signaledRunId, answer: await run.result() }];
  },
  queries: async (id) => {
    const run = await start(id, 'Waiting');
    const seen = { waiting: await run.query('state', '?'), unknown: await refused(run.query('unknown')) };
    await run.signal('close');
    await run.result();
    const closed = await run.query('state', '!');
    const strict = new Client({ connection: client.connection, workflow: { queryRejectCondition: 'NOT_OPEN' } });
    const rejected = await strict.workflow.getHandle(run.workflowId).query('state', '?').catch((error) => error);
    return [run, { ...seen, closed, rejected: rejected.status === 2 ? 'completed' : String(rejected) }];
  },
  timers: answered('Timers'),
  'version marker': answered('Versioned'),
  'search attributes': async (id) => {
    const run = await labelled(id);
    const { typedSearchAttributes } = await run.describe();
    const query = `SdkKeyword = 'after' AND SdkNumber > 6 AND WorkflowId = '${run.workflowId}'`;
    await until(async () => (await client.workflow.count(query)).count === 1);
    await closed(run);
    return [run, { keyword: typedSearchAttributes.get(KEYWORD), number: typedSearchAttributes.get(NUMBER), listed: true }];
  },
  memo: async (id) => {
    const run = await labelled(id);
    const { memo } = await run.describe();
    await closed(run);
    return [run, memo];
  },
  'workflow retried': answered('Again', [], { retry: { initialInterval: '50 ms', maximumAttempts: 5 } }),
  'workflow times out': async (id) => {
    const run = await start(id, 'Leaf', ['wait'], { workflowRunTimeout: '1 second' });
    return [run, { failed: await refused(run.result()) }];
  },
  'workflow terminated': async (id) => {
    const run = await start(id, 'Leaf', ['wait']);
    await run.terminate('enough');
    return [run, { failed: await refused(run.result()) }];
  },
  'workflow id is in use': async (id) => {
    const run = await start(id, 'Leaf', ['wait']);
    const again = await start(id, 'Leaf', ['wait']).catch((error) => error.name === 'WorkflowExecutionAlreadyStartedError');
    const same = await start(id, 'Leaf', ['wait'], { workflowIdConflictPolicy: 'USE_EXISTING' });
    const other = await start(id, 'Leaf', ['again'], { workflowIdConflictPolicy: 'TERMINATE_EXISTING' });
    const sameRun = same.firstExecutionRunId === run.firstExecutionRunId;
    return [run, { refused: again, 'same run': sameRun, 'new run': await other.result() }];
  },
  cron: async (id) => {
    const run = await start(id, 'Tick', [id], { cronSchedule: '@every 1s' });
    const results = [await notes.hear(id), await notes.hear(id)];
    await client.workflow.getHandle(run.workflowId).terminate('enough');
    return [run, { 'last results': results }];
  },
  'started late': async (id) => {
    const began = Date.now();
    const run = await start(id, 'Leaf', ['late'], { startDelay: '1 second' });
    return [run, { answer: await run.result(), late: Date.now() - began > 900 }];
  },
};

async function check(name) {
  const late = new Promise((_, reject) => setTimeout(() => reject(new Error('it takes too long')), SECONDS * 1000));
  try {
    const [run, saw] = await Promise.race([checks[name](`${name} `), late]);
    const runId = run.firstExecutionRunId ?? run.signaledRunId ?? (await run.describe()).runId;
    console.log(JSON.stringify({ check: name, workflow: run.workflowId, run: runId, saw }));
  } catch (error) {
    const cause = error instanceof WorkflowFailedError ? error.cause : error;
    console.log(JSON.stringify({ check: name, error: cause.stack ?? String(cause) }));
  }
}

async function main(address) {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  client = new Client({ connection: await Connection.connect({ address }) });
  const worker = await Worker.create({
    connection: await NativeConnection.connect({ address }),
    taskQueue: QUEUE,
    workflowsPath: require.resolve('./workflows'),
    activities: activities(client, notes),
    maxHeartbeatThrottleInterval: '500 ms',
    shutdownGraceTime: '1 second',
  });
  await worker.runUntil(Promise.all(Object.keys(checks).map(check)));
}

main(process.argv[2]).then(
  () => process.exit(0),
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
