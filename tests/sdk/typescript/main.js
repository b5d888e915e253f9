// A hello-world of the official TypeScript SDK: one worker, one workflow, one activity. Prints the result.
const { Client, Connection } = require('@temporalio/client');
const { NativeConnection, Worker } = require('@temporalio/worker');

async function main(address) {
  const worker = await Worker.create({
    connection: await NativeConnection.connect({ address }),
    taskQueue: 'typescript-hello',
    workflowsPath: require.resolve('./workflows'),
    activities: { greet: async (name) => `Hello, ${name}!` },
  });
  const client = new Client({ connection: await Connection.connect({ address }) });
  const result = await worker.runUntil(
    client.workflow.execute('hello', { taskQueue: 'typescript-hello', workflowId: `ts-${Date.now()}`, args: ['TypeScript'] }),
  );
  console.log(result);
}

main(process.argv[2]).then(
  () => process.exit(0),
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
