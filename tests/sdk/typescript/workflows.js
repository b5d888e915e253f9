// The workflows of the checklist, in the official TypeScript SDK.
const wf = require('@temporalio/workflow');
const { defineSearchAttributeKey, WorkflowExecutionAlreadyStartedError } = require('@temporalio/common');

const quick = wf.proxyActivities({ startToCloseTimeout: '20 seconds' });
const local = wf.proxyLocalActivities({
  startToCloseTimeout: '20 seconds',
  retry: { initialInterval: '20 ms', maximumAttempts: 3, nonRetryableErrorTypes: ['Hopeless'] },
});

const add = wf.defineUpdate('add');
const slowly = wf.defineUpdate('slowly');
const refuse = wf.defineUpdate('refuse');
const close = wf.defineSignal('close');
const stop = wf.defineSignal('stop');
const letter = wf.defineSignal('letter');
const addSignal = wf.defineSignal('add');
const state = wf.defineQuery('state');

// The words of what went wrong: the innermost failure says them.
function named(error) {
  if (wf.isCancellation(error)) return 'cancelled';
  while (error.cause) error = error.cause;
  if (error instanceof wf.ApplicationFailure) return `${error.type}: ${error.message}`;
  if (error instanceof wf.TimeoutFailure) return `timeout: ${error.timeoutType.toLowerCase().replaceAll('_', ' ')}`;
  if (error instanceof wf.TerminatedFailure) return 'terminated';
  if (error instanceof WorkflowExecutionAlreadyStartedError) return 'already started';
  return String(error);
}

async function attempt(work) {
  try {
    return await work();
  } catch (error) {
    return named(error);
  }
}

// It has a balance that updates change, never below nothing.
exports.Account = async function () {
  let balance = 0;
  let open = true;
  wf.setHandler(close, () => void (open = false));
  wf.setHandler(refuse, () => {
    throw wf.ApplicationFailure.create({ message: 'not today', type: 'Refused' });
  });
  wf.setHandler(slowly, async (amount) => {
    await quick.echo('slowly');
    return (balance += amount);
  });
  wf.setHandler(add, (amount) => (balance += amount), {
    validator: (amount) => {
      if (balance + amount < 0) throw new Error('not enough');
    },
  });
  await wf.condition(() => !open && wf.allHandlersFinished());
  return balance;
};

// A child: it fails, waits, hears a letter, or answers.
exports.Leaf = async function (what) {
  let heard;
  wf.setHandler(letter, (word) => void (heard = word));
  if (what === 'fail') throw wf.ApplicationFailure.create({ message: 'child broke', type: 'Broken' });
  if (what === 'wait') await wf.sleep('1 hour');
  if (what === 'listen') {
    await wf.condition(() => heard);
    return `heard ${heard}`;
  }
  return `leaf ${what}`;
};

// A child with a child.
exports.Middle = async function (what) {
  return `middle of ${await wf.executeChild('Leaf', { workflowId: `${wf.workflowInfo().workflowId} leaf`, args: [what] })}`;
};

// It has one child, and says what became of it.
exports.Parent = async function (what) {
  const { workflowId } = wf.workflowInfo();
  const options = { workflowId: what === 'in use' ? workflowId : `${workflowId} child`, args: [what] };
  if (what === 'time out') Object.assign(options, { workflowRunTimeout: '1 second', args: ['wait'] });
  if (what === 'cancel') options.args = ['wait'];
  const scope = new wf.CancellationScope();
  const answer = await attempt(() =>
    scope.run(async () => {
      const child = await wf.startChild(what === 'deep' ? 'Middle' : 'Leaf', options);
      if (what === 'cancel') scope.cancel();
      if (what === 'listen') await child.signal(letter, 'hello');
      return child.result();
    }),
  );
  return answer.startsWith('timeout') ? 'timed out' : answer;
};

// It ends before its children do.
exports.Family = async function () {
  for (const parentClosePolicy of ['TERMINATE', 'REQUEST_CANCEL', 'ABANDON']) {
    const workflowId = `${wf.workflowInfo().workflowId} ${parentClosePolicy}`;
    await wf.startChild('Leaf', { workflowId, parentClosePolicy, args: ['wait'] });
  }
};

// It signals or cancels another workflow.
exports.Poke = async function (how, id) {
  const other = wf.getExternalWorkflowHandle(id);
  try {
    await (how === 'signal' ? other.signal(letter, 'hello') : other.cancel());
    return 'done';
  } catch {
    return 'failed';
  }
};

// It continues as new until nothing is left.
exports.Countdown = async function (left) {
  if (left > 0) await wf.continueAsNew(left - 1);
  return 'lift off';
};

// It wants to continue as new just when a signal or an update comes.
exports.Disturbed = async function (total, how) {
  wf.setHandler(add, (amount) => (total += amount));
  wf.setHandler(addSignal, (amount) => void (total += amount));
  if (!how) {
    await wf.condition(() => total > 100);
    return total;
  }
  await local.disturb(how);
  await wf.continueAsNew(total, '');
};

// It cleans up when it is cancelled.
exports.Tidy = async function (name) {
  try {
    await wf.sleep('1 hour');
  } finally {
    await wf.CancellationScope.nonCancellable(() => quick.note(name, 'swept'));
  }
};

// It does not mind being cancelled.
exports.Stubborn = async function () {
  await attempt(() => wf.sleep('1 hour'));
  return 'so what';
};

// It runs one of the activities and says how it ended.
exports.Activities = async function (what, name) {
  let stopped = false;
  wf.setHandler(stop, () => void (stopped = true));
  const run = (more) => {
    const { retry, ...others } = more;
    return wf.proxyActivities({
      startToCloseTimeout: '20 seconds',
      heartbeatTimeout: '20 seconds',
      cancellationType: 'WAIT_CANCELLATION_COMPLETED',
      retry: { initialInterval: '50 ms', nonRetryableErrorTypes: ['Hopeless'], ...retry },
      ...others,
    });
  };
  const kinds = {
    retried: () => run({}).retried(),
    broken: () => run({}).broken(),
    resumed: () => run({}).resumed(),
    outside: () => run({}).outside(name),
    silent: () => run({ heartbeatTimeout: '500 ms', retry: { maximumAttempts: 1 } }).stuck(1.5),
    slow: () => run({ startToCloseTimeout: '500 ms', retry: { maximumAttempts: 2 } }).stuck(1.5),
    nobody: () => run({ taskQueue: `nobody-${name}`, scheduleToStartTimeout: '500 ms' }).echo(''),
    cancel: () => {
      const scope = new wf.CancellationScope();
      return scope.run(() => {
        const beating = run({}).beat(name);
        wf.condition(() => stopped).then(() => scope.cancel(), () => undefined);
        return beating;
      });
    },
  };
  return attempt(kinds[what]);
};

// It runs a local activity: at once, at the third attempt, failing, or longer than a workflow task may take.
exports.Locals = async function (what) {
  const kinds = {
    echo: () => local.echo('at once'),
    retried: () => local.retried(),
    broken: () => local.broken(),
    long: () => local.stuck(5),
  };
  return (await attempt(kinds[what])) ?? '';
};

// It gathers signals until the end.
exports.Letters = async function () {
  let text = '';
  wf.setHandler(letter, (word) => void (text += word));
  await wf.condition(() => text.endsWith('.'));
  return text;
};

// It answers queries.
exports.Waiting = async function () {
  let now = 'waiting';
  wf.setHandler(state, (mark) => now + mark);
  wf.setHandler(close, () => void (now = 'done'));
  await wf.condition(() => now === 'done');
};

// It has a timer that fires and one that does not.
exports.Timers = async function () {
  const scope = new wf.CancellationScope();
  const never = attempt(() => scope.run(() => wf.sleep('1 hour')));
  await wf.sleep('200 ms');
  scope.cancel();
  return `fired, ${await never}`;
};

// It takes a new path, for good.
exports.Versioned = async function () {
  const first = wf.patched('new-path');
  await wf.sleep('10 ms');
  return first && wf.patched('new-path') ? 'new path' : 'old path';
};

// It changes its search attributes and its memo.
exports.Labelled = async function () {
  let open = true;
  wf.setHandler(close, () => void (open = false));
  wf.upsertSearchAttributes([
    { key: defineSearchAttributeKey('SdkKeyword', 'KEYWORD'), value: 'after' },
    { key: defineSearchAttributeKey('SdkNumber', 'INT'), value: 7 },
  ]);
  wf.upsertMemo({ changed: 'after', added: 'new', gone: null });
  await wf.condition(() => !open);
};

// It fails before its third attempt.
exports.Again = async function () {
  if (wf.workflowInfo().attempt < 3) throw wf.ApplicationFailure.create({ message: 'once more' });
  return 'attempt 3';
};

// It counts the runs of a schedule by what the last one left.
exports.Tick = async function (name) {
  const last = wf.workflowInfo().lastResult ?? 0;
  await quick.note(name, String(last));
  return last + 1;
};
