import com.fasterxml.jackson.databind.ObjectMapper;
import io.temporal.api.common.v1.WorkflowExecution;
import io.temporal.api.enums.v1.QueryRejectCondition;
import io.temporal.api.enums.v1.WorkflowIdConflictPolicy;
import io.temporal.client.UpdateOptions;
import io.temporal.client.WorkflowClient;
import io.temporal.client.WorkflowClientOptions;
import io.temporal.client.WorkflowExecutionAlreadyStarted;
import io.temporal.client.WorkflowExecutionDescription;
import io.temporal.client.WorkflowOptions;
import io.temporal.client.WorkflowQueryConditionallyRejectedException;
import io.temporal.client.WorkflowQueryException;
import io.temporal.client.WorkflowStub;
import io.temporal.client.WorkflowUpdateException;
import io.temporal.client.WorkflowUpdateStage;
import io.temporal.common.RetryOptions;
import io.temporal.common.SearchAttributes;
import io.temporal.failure.CanceledFailure;
import io.temporal.serviceclient.WorkflowServiceStubs;
import io.temporal.serviceclient.WorkflowServiceStubsOptions;
import io.temporal.worker.Worker;
import io.temporal.worker.WorkerFactory;
import io.temporal.worker.WorkerOptions;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.UnaryOperator;

/** The checklist of tests/sdk/checklist.py in the official Java SDK: a worker and a client that print what they saw, a line of JSON a check. */
public final class Main {
  static final ExecutorService THREADS = Executors.newCachedThreadPool();
  static final String UNIQUE = String.valueOf(System.currentTimeMillis());
  static final String QUEUE = "java-" + UNIQUE;
  static final long SECONDS = 40;
  static final UnaryOperator<WorkflowOptions.Builder> PLAIN = options -> options;
  private static final Map<String, BlockingQueue<String>> NOTES = new ConcurrentHashMap<>();
  static WorkflowClient client;

  /** The run whose history the test reads, and what was seen. */
  record Seen(WorkflowExecution run, Map<String, ?> saw) {}

  /** One line of the checklist. */
  interface Check {
    Seen run(String id) throws Exception;
  }

  /** A way for activities to tell the checks something, by a name. */
  static BlockingQueue<String> note(String name) {
    return NOTES.computeIfAbsent(name, each -> new LinkedBlockingQueue<>());
  }

  static void sleep(double seconds) {
    try {
      Thread.sleep((long) (seconds * 1000));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  static WorkflowOptions.Builder options(String id) {
    return WorkflowOptions.newBuilder().setWorkflowId(id + UNIQUE).setTaskQueue(QUEUE).setDisableEagerExecution(true);
  }

  static WorkflowStub stub(String id, String type, UnaryOperator<WorkflowOptions.Builder> more) {
    return client.newUntypedWorkflowStub(type, more.apply(options(id)).build());
  }

  static WorkflowStub start(String id, String type, UnaryOperator<WorkflowOptions.Builder> more, Object... args) {
    WorkflowStub run = stub(id, type, more);
    run.start(args);
    return run;
  }

  static WorkflowStub start(String id, String type, Object... args) {
    return start(id, type, PLAIN, args);
  }

  static Seen seen(WorkflowStub run, Object... pairs) {
    Map<String, Object> saw = new TreeMap<>();
    for (int i = 0; i < pairs.length; i += 2) saw.put((String) pairs[i], pairs[i + 1]);
    return new Seen(run.getExecution(), saw);
  }

  static String result(WorkflowStub run) {
    return run.getResult(String.class);
  }

  /** Ends an account and returns its balance. */
  static int closed(WorkflowStub run) {
    run.signal("close");
    return run.getResult(Integer.class);
  }

  static boolean fails(Callable<?> work) {
    try {
      work.call();
      return false;
    } catch (Exception e) {
      return true;
    }
  }

  static boolean cancelled(WorkflowStub run) {
    try {
      run.getResult(String.class);
      return false;
    } catch (RuntimeException e) {
      return e.getCause() instanceof CanceledFailure;
    }
  }

  static void until(Callable<Boolean> true_) throws Exception {
    long began = System.nanoTime();
    while (!true_.call()) {
      if (System.nanoTime() - began > 20e9) throw new IllegalStateException("it did not come true");
      sleep(0.05);
    }
  }

  static String status(String id) {
    String name = client.newUntypedWorkflowStub(id).describe().getStatus().name();
    return name.substring("WORKFLOW_EXECUTION_STATUS_".length()).toLowerCase();
  }

  static Check answered(String type, Object... args) {
    return id -> {
      WorkflowStub run = start(id, type, args);
      return seen(run, "answer", result(run));
    };
  }

  static Check poke(String how) {
    return id -> {
      WorkflowStub run = start(id, "Poke", how, "nobody");
      return seen(run, "poke", result(run));
    };
  }

  static <T> UpdateOptions<T> update(String name, String id, WorkflowUpdateStage stage, Class<T> type) {
    return UpdateOptions.newBuilder(type).setUpdateName(name).setUpdateId(id).setWaitForStage(stage).build();
  }

  static Object notEnough(Callable<Integer> work) throws Exception {
    try {
      return work.call();
    } catch (WorkflowUpdateException e) {
      return e.getCause().getMessage().contains("not enough");
    }
  }

  static WorkflowStub updateWithStart(String id, int amount, Object[] value) throws Exception {
    WorkflowIdConflictPolicy same = WorkflowIdConflictPolicy.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING;
    WorkflowStub run = stub(id, "Account", options -> options.setWorkflowIdConflictPolicy(same));
    UpdateOptions<Integer> how = update("add", "", WorkflowUpdateStage.COMPLETED, Integer.class);
    value[0] = notEnough(() -> run.executeUpdateWithStart(how, new Object[] {amount}, new Object[0]));
    return run;
  }

  static WorkflowStub labelled(String id) throws Exception {
    Map<String, Object> memo = Map.of("kept", "before", "changed", "before", "gone", "before");
    SearchAttributes attributes = SearchAttributes.newBuilder().set(Workflows.KEYWORD, "before").build();
    WorkflowStub run = start(id, "Labelled", options -> options.setMemo(memo).setTypedSearchAttributes(attributes));
    until(() -> run.describe().getHistoryLength() > 5);
    return run;
  }

  static Map<String, Check> checks() {
    Map<String, Check> checks = new LinkedHashMap<>();
    updates(checks);
    children(checks);
    chains(checks);
    activities(checks);
    rest(checks);
    return checks;
  }

  static void updates(Map<String, Check> checks) {
    checks.put("update accepted", id -> {
      WorkflowStub run = start(id, "Account");
      return seen(run, "result", run.update("add", Integer.class, 5), "balance", closed(run));
    });
    checks.put("update rejected by its validator", id -> {
      WorkflowStub run = start(id, "Account");
      Object refused = notEnough(() -> run.update("add", Integer.class, -5));
      return seen(run, "not enough", refused, "balance", closed(run));
    });
    checks.put("update failed after its acceptance", id -> {
      WorkflowStub run = start(id, "Account");
      String failure = "";
      try {
        run.update("refuse", Void.class);
      } catch (WorkflowUpdateException e) {
        failure = Workflows.named(e);
      }
      return seen(run, "failure", failure, "balance", closed(run));
    });
    checks.put("update with an activity", id -> {
      WorkflowStub run = start(id, "Account");
      return seen(run, "result", run.update("slowly", Integer.class, 4), "balance", closed(run));
    });
    checks.put("update sent twice", id -> {
      WorkflowStub run = start(id, "Account");
      UpdateOptions<Integer> one = update("add", "one", WorkflowUpdateStage.COMPLETED, Integer.class);
      List<Integer> results = List.of(run.startUpdate(one, 5).getResult(), run.startUpdate(one, 5).getResult());
      return seen(run, "results", results, "balance", closed(run));
    });
    checks.put("update fetched by its id", id -> {
      WorkflowStub run = start(id, "Account");
      run.startUpdate(update("slowly", "u", WorkflowUpdateStage.ACCEPTED, Integer.class), 3);
      return seen(run, "result", run.getUpdateHandle("u", Integer.class).getResult(), "balance", closed(run));
    });
    checks.put("update with start", id -> {
      Object[] first = {0};
      Object[] second = {0};
      WorkflowStub run = updateWithStart(id, 3, first);
      WorkflowStub again = updateWithStart(id, 4, second);
      boolean same = run.getExecution().equals(again.getExecution());
      return seen(run, "first", first[0], "second", second[0], "same run", same, "balance", closed(run));
    });
    checks.put("update with start rejected by its validator", id -> {
      Object[] refused = {0};
      WorkflowStub run = updateWithStart(id, -3, refused);
      return seen(run, "not enough", refused[0], "balance", closed(run));
    });
  }

  static void children(Map<String, Check> checks) {
    checks.put("child completes", answered("Parent", "answer"));
    checks.put("child of a child", answered("Parent", "deep"));
    checks.put("child fails", answered("Parent", "fail"));
    checks.put("child is cancelled", answered("Parent", "cancel"));
    checks.put("child times out", answered("Parent", "time out"));
    checks.put("child id is in use", answered("Parent", "in use"));
    checks.put("child is signalled", answered("Parent", "listen"));
    checks.put("child is terminated", id -> {
      WorkflowStub run = start(id, "Parent", "wait");
      WorkflowStub child = client.newUntypedWorkflowStub(id + UNIQUE + " child");
      until(() -> !fails(() -> {
        child.terminate("enough");
        return null;
      }));
      return seen(run, "answer", result(run));
    });
    checks.put("parent close policies", id -> {
      WorkflowStub run = start(id, "Family");
      run.getResult(Void.class);
      String name = id + UNIQUE + " ";
      until(() -> !status(name + "TERMINATE").equals("running") && !status(name + "REQUEST_CANCEL").equals("running"));
      String abandoned = status(name + "ABANDON");
      client.newUntypedWorkflowStub(name + "ABANDON").terminate("enough");
      return seen(
          run, "terminate", status(name + "TERMINATE"), "request cancel", status(name + "REQUEST_CANCEL"), "abandon", abandoned);
    });
    checks.put("signal from a workflow", id -> {
      WorkflowStub other = start(id + "other ", "Leaf", "listen");
      WorkflowStub run = start(id, "Poke", "signal", other.getExecution().getWorkflowId());
      return seen(run, "poke", result(run), "other", result(other));
    });
    checks.put("signal from a workflow to nobody", poke("signal"));
    checks.put("cancel from a workflow", id -> {
      WorkflowStub other = start(id + "other ", "Leaf", "wait");
      WorkflowStub run = start(id, "Poke", "cancel", other.getExecution().getWorkflowId());
      return seen(run, "poke", result(run), "other cancelled", cancelled(other));
    });
    checks.put("cancel from a workflow to nobody", poke("cancel"));
  }

  static void chains(Map<String, Check> checks) {
    checks.put("continue as new", answered("Countdown", 3));
    checks.put("signal carried over continue as new", id -> {
      WorkflowStub run = start(id, "Disturbed", 100, "signal");
      return seen(run, "total", run.getResult(Integer.class));
    });
    checks.put("update carried over continue as new", id -> {
      WorkflowStub run = start(id, "Disturbed", 100, "update");
      int total = run.getResult(Integer.class);
      return seen(run, "total", total, "update", note("updated " + run.getExecution().getWorkflowId()).take());
    });
    checks.put("workflow retried", id -> {
      RetryOptions retry = RetryOptions.newBuilder().setInitialInterval(Duration.ofMillis(50)).setMaximumAttempts(5).build();
      WorkflowStub run = start(id, "Again", options -> options.setRetryOptions(retry));
      return seen(run, "answer", result(run));
    });
    checks.put("cron", id -> {
      WorkflowStub run = start(id, "Tick", options -> options.setCronSchedule("@every 1s"), id);
      List<String> results = List.of(note(id).take(), note(id).take());
      client.newUntypedWorkflowStub(id + UNIQUE).terminate("enough");
      return seen(run, "last results", results);
    });
    checks.put("started late", id -> {
      long began = System.nanoTime();
      WorkflowStub run = start(id, "Leaf", options -> options.setStartDelay(Duration.ofSeconds(1)), "late");
      return seen(run, "answer", result(run), "late", System.nanoTime() - began > 9e8);
    });
    checks.put("started eagerly", id -> {
      WorkflowStub run = start(id, "Leaf", options -> options.setDisableEagerExecution(false), "eager");
      return seen(run, "answer", result(run));
    });
    checks.put("workflow id is in use", id -> {
      WorkflowStub run = start(id, "Leaf", "wait");
      boolean refused = false;
      try {
        start(id, "Leaf", "wait");
      } catch (WorkflowExecutionAlreadyStarted e) {
        refused = true;
      }
      WorkflowIdConflictPolicy use = WorkflowIdConflictPolicy.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING;
      WorkflowIdConflictPolicy end = WorkflowIdConflictPolicy.WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING;
      WorkflowStub same = start(id, "Leaf", options -> options.setWorkflowIdConflictPolicy(use), "wait");
      WorkflowStub other = start(id, "Leaf", options -> options.setWorkflowIdConflictPolicy(end), "again");
      boolean sameRun = same.getExecution().equals(run.getExecution());
      return seen(run, "refused", refused, "same run", sameRun, "new run", result(other));
    });
    checks.put("workflow times out", id -> {
      WorkflowStub run = start(id, "Leaf", options -> options.setWorkflowRunTimeout(Duration.ofSeconds(1)), "wait");
      return seen(run, "failed", fails(() -> result(run)));
    });
    checks.put("workflow terminated", id -> {
      WorkflowStub run = start(id, "Leaf", "wait");
      run.terminate("enough");
      return seen(run, "failed", fails(() -> result(run)));
    });
  }

  static void activities(Map<String, Check> checks) {
    checks.put("workflow cancelled and cleaned up", id -> {
      WorkflowStub run = start(id, "Tidy", id);
      until(() -> run.describe().getHistoryLength() >= 5);
      run.cancel();
      return seen(run, "cancelled", cancelled(run), "cleanup", note(id).take());
    });
    checks.put("activity cancelled by its heartbeat", id -> {
      WorkflowStub run = start(id, "Activities", "cancel", id);
      note(id).take();
      run.signal("stop");
      return seen(run, "activity", note(id).take(), "answer", result(run));
    });
    checks.put("activity goes on from its heartbeat", answered("Activities", "resumed", ""));
    checks.put("activity retried", answered("Activities", "retried", ""));
    checks.put("activity fails for good", answered("Activities", "broken", ""));
    checks.put("activity misses its heartbeat", answered("Activities", "silent", ""));
    checks.put("activity takes too long twice", answered("Activities", "slow", ""));
    checks.put("activity is not picked up", answered("Activities", "nobody", ""));
    checks.put("activity completed from outside", id -> {
      WorkflowStub run = start(id, "Activities", "outside", id);
      byte[] token = note(id).take().getBytes(StandardCharsets.ISO_8859_1);
      client.newActivityCompletionClient().complete(token, "from outside");
      return seen(run, "answer", result(run));
    });
    checks.put("local activity", answered("Locals", "echo"));
    checks.put("local activity retried", answered("Locals", "retried"));
    checks.put("local activity fails", answered("Locals", "broken"));
    checks.put("local activity beats for its workflow task", id -> {
      WorkflowStub run = start(id, "Locals", options -> options.setWorkflowTaskTimeout(Duration.ofSeconds(3)), "long");
      return seen(run, "answer", result(run));
    });
  }

  static void rest(Map<String, Check> checks) {
    checks.put("signals in order", id -> {
      WorkflowStub run = start(id, "Letters");
      for (String word : List.of("a", "b", "c", ".")) run.signal("letter", word);
      return seen(run, "answer", result(run));
    });
    checks.put("signal with start", id -> {
      WorkflowStub run = stub(id, "Letters", PLAIN);
      run.signalWithStart("letter", new Object[] {"a"}, new Object[0]);
      WorkflowStub again = stub(id, "Letters", PLAIN);
      again.signalWithStart("letter", new Object[] {"."}, new Object[0]);
      boolean same = run.getExecution().equals(again.getExecution());
      return seen(run, "same run", same, "answer", result(run));
    });
    checks.put("queries", id -> {
      WorkflowStub run = start(id, "Waiting");
      String waiting = run.query("state", String.class, "?");
      boolean unknown = false;
      try {
        run.query("unknown", String.class);
      } catch (WorkflowQueryException e) {
        unknown = true;
      }
      run.signal("close");
      run.getResult(Void.class);
      QueryRejectCondition open = QueryRejectCondition.QUERY_REJECT_CONDITION_NOT_OPEN;
      WorkflowClientOptions strict = WorkflowClientOptions.newBuilder().setQueryRejectCondition(open).build();
      String rejected = "no";
      try {
        WorkflowClient.newInstance(client.getWorkflowServiceStubs(), strict)
            .newUntypedWorkflowStub(id + UNIQUE)
            .query("state", String.class, "?");
      } catch (WorkflowQueryConditionallyRejectedException e) {
        rejected = e.getWorkflowExecutionStatus().name().substring("WORKFLOW_EXECUTION_STATUS_".length()).toLowerCase();
      }
      String closed = run.query("state", String.class, "!");
      return seen(run, "waiting", waiting, "unknown", unknown, "closed", closed, "rejected", rejected);
    });
    checks.put("timers", answered("Timers"));
    checks.put("version marker", answered("Versioned"));
    checks.put("side effects", answered("Effects"));
    checks.put("search attributes", id -> {
      WorkflowStub run = labelled(id);
      SearchAttributes found = run.describe().getTypedSearchAttributes();
      String query = "SdkKeyword = 'after' AND SdkNumber > 6 AND WorkflowId = '" + id + UNIQUE + "'";
      until(() -> client.listExecutions(query).count() == 1);
      run.signal("close");
      return seen(
          run, "keyword", found.get(Workflows.KEYWORD), "number", found.get(Workflows.NUMBER), "listed", result(run) == null);
    });
    checks.put("memo", id -> {
      WorkflowStub run = labelled(id);
      WorkflowExecutionDescription found = run.describe();
      Map<String, Object> memo = new TreeMap<>();
      for (String name : found.getWorkflowExecutionInfo().getMemo().getFieldsMap().keySet())
        memo.put(name, found.getMemo(name, String.class));
      run.signal("close");
      run.getResult(Void.class);
      return new Seen(run.getExecution(), memo);
    });
  }

  static String line(String name, Check check) {
    Map<String, Object> line = new TreeMap<>(Map.of("check", name));
    Future<Seen> seen = THREADS.submit(() -> check.run(name + " "));
    try {
      Seen what = seen.get(SECONDS, TimeUnit.SECONDS);
      line.putAll(Map.of("workflow", what.run.getWorkflowId(), "run", what.run.getRunId(), "saw", what.saw));
    } catch (Exception e) {
      line.put("error", e + " " + e.getCause());
    }
    try {
      return new ObjectMapper().writeValueAsString(line);
    } catch (Exception e) {
      throw new IllegalStateException(e);
    }
  }

  public static void main(String[] args) throws Exception {
    WorkflowServiceStubs service =
        WorkflowServiceStubs.newServiceStubs(WorkflowServiceStubsOptions.newBuilder().setTarget(args[0]).build());
    client = WorkflowClient.newInstance(service);
    WorkerFactory factory = WorkerFactory.newInstance(client);
    Duration often = Duration.ofMillis(500);
    Worker worker = factory.newWorker(QUEUE, WorkerOptions.newBuilder().setMaxHeartbeatThrottleInterval(often).build());
    worker.registerWorkflowImplementationTypes(Workflows.ALL);
    worker.registerActivitiesImplementations(new Tools.Hands());
    factory.start();
    List<Future<?>> all =
        checks().entrySet().stream()
            .<Future<?>>map(each -> THREADS.submit(() -> System.out.println(line(each.getKey(), each.getValue()))))
            .toList();
    for (Future<?> each : all) each.get();
    System.exit(0);
  }
}
