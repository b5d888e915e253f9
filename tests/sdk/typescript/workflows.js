// A workflow of the official TypeScript SDK.
const { proxyActivities, sleep } = require('@temporalio/workflow');

const { greet } = proxyActivities({ startToCloseTimeout: '10 seconds' });

exports.hello = async function hello(name) {
  await sleep(100);
  return greet(name);
};
