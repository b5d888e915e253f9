// The activities of the checklist, in the official TypeScript SDK.
const { ApplicationFailure, CompleteAsyncError, Context, heartbeat, sleep } = require('@temporalio/activity');

exports.activities = function (client, notes) {
  const disturbed = new Set();
  return {
    echo: async (text) => text,
    note: async (name, text) => notes.tell(name, text),
    retried: async () => {
      const { attempt } = Context.current().info;
      if (attempt < 3) throw new Error(`no luck with attempt ${attempt}`);
      return 'attempt 3';
    },
    broken: async () => {
      throw ApplicationFailure.create({ message: 'it never works', type: 'Hopeless' });
    },
    // It leaves word of how far it came, and goes on from there.
    resumed: async () => {
      const { heartbeatDetails } = Context.current().info;
      if (heartbeatDetails) return `from ${heartbeatDetails}`;
      heartbeat('halfway');
      throw new Error('lost');
    },
    // It beats until it hears of its cancellation.
    beat: async (name) => {
      notes.tell(name, 'beating');
      try {
        for (;;) {
          await sleep(100);
          heartbeat();
        }
      } catch (error) {
        notes.tell(name, 'heard of it');
        throw error;
      }
    },
    // It is silent.
    stuck: async (seconds) => sleep(seconds * 1000),
    // It is completed by somebody who has its token.
    outside: async (name) => {
      notes.tell(name, Context.current().info.taskToken);
      throw new CompleteAsyncError();
    },
    // It sends its workflow a signal or an update while the workflow's task is held: once.
    disturb: async (how) => {
      const { workflowId, runId } = Context.current().info.workflowExecution;
      if (disturbed.has(workflowId)) return;
      disturbed.add(workflowId);
      if (how === 'signal') return client.workflow.getHandle(workflowId, runId).signal('add', 1);
      client.workflow
        .getHandle(workflowId)
        .executeUpdate('add', { args: [10] })
        .then((total) => String(total), String)
        .then((text) => notes.tell(`updated ${workflowId}`, text));
      await sleep(500);
    },
  };
};
