import io.temporal.activity.ActivityCancellationType;
import io.temporal.activity.ActivityOptions;
import io.temporal.activity.LocalActivityOptions;
import io.temporal.api.enums.v1.ParentClosePolicy;
import io.temporal.api.enums.v1.TimeoutType;
import io.temporal.client.WorkflowExecutionAlreadyStarted;
import io.temporal.common.RetryOptions;
import io.temporal.common.SearchAttributeKey;
import io.temporal.failure.ApplicationFailure;
import io.temporal.failure.CanceledFailure;
import io.temporal.failure.TemporalFailure;
import io.temporal.failure.TerminatedFailure;
import io.temporal.failure.TimeoutFailure;
import io.temporal.workflow.Async;
import io.temporal.workflow.CancellationScope;
import io.temporal.workflow.ChildWorkflowOptions;
import io.temporal.workflow.ChildWorkflowStub;
import io.temporal.workflow.ExternalWorkflowStub;
import io.temporal.workflow.Functions;
import io.temporal.workflow.Promise;
import io.temporal.workflow.QueryMethod;
import io.temporal.workflow.SignalMethod;
import io.temporal.workflow.UpdateMethod;
import io.temporal.workflow.UpdateValidatorMethod;
import io.temporal.workflow.Workflow;
import io.temporal.workflow.WorkflowInterface;
import io.temporal.workflow.WorkflowMethod;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;

/** The workflows of the checklist: each an interface, which names it, and its class. */
public final class Workflows {
  static final Class<?>[] ALL = {
    AccountRun.class, LeafRun.class, MiddleRun.class, ParentRun.class, FamilyRun.class, PokeRun.class, CountdownRun.class,
    DisturbedRun.class, TidyRun.class, ActivitiesRun.class, LocalsRun.class, LettersRun.class, WaitingRun.class,
    TimersRun.class, VersionedRun.class, EffectsRun.class, LabelledRun.class, AgainRun.class, TickRun.class
  };
  static final SearchAttributeKey<String> KEYWORD = SearchAttributeKey.forKeyword("SdkKeyword");
  static final SearchAttributeKey<Long> NUMBER = SearchAttributeKey.forLong("SdkNumber");

  private static Tools quick() {
    return Workflow.newActivityStub(
        Tools.class, ActivityOptions.newBuilder().setStartToCloseTimeout(Duration.ofSeconds(20)).build());
  }

  private static Tools local() {
    RetryOptions retry =
        RetryOptions.newBuilder()
            .setInitialInterval(Duration.ofMillis(20))
            .setMaximumAttempts(3)
            .setDoNotRetry("Hopeless")
            .build();
    return Workflow.newLocalActivityStub(
        Tools.class,
        LocalActivityOptions.newBuilder().setStartToCloseTimeout(Duration.ofSeconds(20)).setRetryOptions(retry).build());
  }

  /** The words of what went wrong: the innermost failure says them. */
  static String named(Throwable error) {
    while (error.getCause() != null) error = error.getCause();
    if (error instanceof ApplicationFailure) {
      ApplicationFailure failure = (ApplicationFailure) error;
      return failure.getType() + ": " + failure.getOriginalMessage();
    }
    if (error instanceof TimeoutFailure) {
      TimeoutType type = ((TimeoutFailure) error).getTimeoutType();
      return "timeout: " + type.name().substring("TIMEOUT_TYPE_".length()).toLowerCase().replace('_', ' ');
    }
    if (error instanceof CanceledFailure) return "cancelled";
    if (error instanceof TerminatedFailure) return "terminated";
    if (error instanceof WorkflowExecutionAlreadyStarted) return "already started";
    return error.toString();
  }

  private static String attempt(Functions.Func<String> work) {
    try {
      return work.apply();
    } catch (TemporalFailure | WorkflowExecutionAlreadyStarted e) {
      return named(e);
    }
  }

  /** It has a balance that updates change, never below nothing. */
  @WorkflowInterface
  public interface Account {
    @WorkflowMethod
    int run();

    @UpdateMethod
    int add(int amount);

    @UpdateValidatorMethod(updateName = "add")
    void checkAdd(int amount);

    @UpdateMethod
    int slowly(int amount);

    @UpdateMethod
    void refuse();

    @SignalMethod
    void close();
  }

  public static class AccountRun implements Account {
    private int balance;
    private boolean closed;

    @Override
    public int run() {
      Workflow.await(() -> closed && Workflow.isEveryHandlerFinished());
      return balance;
    }

    @Override
    public int add(int amount) {
      return balance += amount;
    }

    @Override
    public void checkAdd(int amount) {
      if (balance + amount < 0) throw new IllegalArgumentException("not enough");
    }

    @Override
    public int slowly(int amount) {
      quick().echo("slowly");
      return balance += amount;
    }

    @Override
    public void refuse() {
      throw ApplicationFailure.newFailure("not today", "Refused");
    }

    @Override
    public void close() {
      closed = true;
    }
  }

  /** A child: it fails, waits, hears a letter, or answers. */
  @WorkflowInterface
  public interface Leaf {
    @WorkflowMethod
    String run(String what);

    @SignalMethod
    void letter(String word);
  }

  public static class LeafRun implements Leaf {
    private String heard;

    @Override
    public String run(String what) {
      if (what.equals("fail")) throw ApplicationFailure.newFailure("child broke", "Broken");
      if (what.equals("wait")) Workflow.sleep(Duration.ofHours(1));
      if (what.equals("listen")) {
        Workflow.await(() -> heard != null);
        return "heard " + heard;
      }
      return "leaf " + what;
    }

    @Override
    public void letter(String word) {
      heard = word;
    }
  }

  private static ChildWorkflowOptions.Builder child(String what) {
    return ChildWorkflowOptions.newBuilder().setWorkflowId(Workflow.getInfo().getWorkflowId() + " " + what);
  }

  /** A child with a child. */
  @WorkflowInterface
  public interface Middle {
    @WorkflowMethod
    String run(String what);
  }

  public static class MiddleRun implements Middle {
    @Override
    public String run(String what) {
      return "middle of " + Workflow.newUntypedChildWorkflowStub("Leaf", child("leaf").build()).execute(String.class, what);
    }
  }

  /** It has one child, and says what became of it. */
  @WorkflowInterface
  public interface Parent {
    @WorkflowMethod
    String run(String what);
  }

  public static class ParentRun implements Parent {
    private Promise<String> answer;

    @Override
    public String run(String what) {
      String said = attempt(() -> watched(what));
      return said.startsWith("timeout") ? "timed out" : said;
    }

    private String watched(String what) {
      ChildWorkflowOptions.Builder options = child("child");
      if (what.equals("in use")) options.setWorkflowId(Workflow.getInfo().getWorkflowId());
      if (what.equals("time out")) options.setWorkflowRunTimeout(Duration.ofSeconds(1));
      boolean waits = what.equals("time out") || what.equals("cancel");
      String type = what.equals("deep") ? "Middle" : "Leaf";
      ChildWorkflowStub child = Workflow.newUntypedChildWorkflowStub(type, options.build());
      CancellationScope scope =
          Workflow.newCancellationScope(() -> answer = child.executeAsync(String.class, waits ? "wait" : what));
      scope.run();
      child.getExecution().get();
      if (what.equals("cancel")) scope.cancel();
      if (what.equals("listen")) child.signal("letter", "hello");
      return answer.get();
    }
  }

  /** It ends before its children do. */
  @WorkflowInterface
  public interface Family {
    @WorkflowMethod
    void run();
  }

  public static class FamilyRun implements Family {
    @Override
    public void run() {
      for (String name : new String[] {"TERMINATE", "REQUEST_CANCEL", "ABANDON"}) {
        ParentClosePolicy policy = ParentClosePolicy.valueOf("PARENT_CLOSE_POLICY_" + name);
        ChildWorkflowStub child =
            Workflow.newUntypedChildWorkflowStub("Leaf", child(name).setParentClosePolicy(policy).build());
        child.executeAsync(String.class, "wait");
        child.getExecution().get();
      }
    }
  }

  /** It signals or cancels another workflow. */
  @WorkflowInterface
  public interface Poke {
    @WorkflowMethod
    String run(String how, String id);
  }

  public static class PokeRun implements Poke {
    @Override
    public String run(String how, String id) {
      ExternalWorkflowStub other = Workflow.newUntypedExternalWorkflowStub(id);
      try {
        if (how.equals("signal")) other.signal("letter", "hello");
        else other.cancel();
        return "done";
      } catch (RuntimeException e) {
        return "failed";
      }
    }
  }

  /** It continues as new until nothing is left. */
  @WorkflowInterface
  public interface Countdown {
    @WorkflowMethod
    String run(int left);
  }

  public static class CountdownRun implements Countdown {
    @Override
    public String run(int left) {
      if (left > 0) Workflow.continueAsNew(left - 1);
      return "lift off";
    }
  }

  /** It wants to continue as new just when a signal or an update comes. */
  @WorkflowInterface
  public interface Disturbed {
    @WorkflowMethod
    int run(int total, String how);

    @UpdateMethod
    int add(int amount);

    @SignalMethod
    void addLater(int amount);
  }

  public static class DisturbedRun implements Disturbed {
    private int sum;

    @Override
    public int run(int total, String how) {
      sum += total;
      if (how.isEmpty()) {
        Workflow.await(() -> sum > 100);
        return sum;
      }
      local().disturb(how);
      Workflow.continueAsNew(sum, "");
      return 0;
    }

    @Override
    public int add(int amount) {
      Workflow.await(() -> sum > 0);
      return sum += amount;
    }

    @Override
    public void addLater(int amount) {
      sum += amount;
    }
  }

  /** It cleans up when it is cancelled. */
  @WorkflowInterface
  public interface Tidy {
    @WorkflowMethod
    void run(String name);
  }

  public static class TidyRun implements Tidy {
    @Override
    public void run(String name) {
      try {
        Workflow.sleep(Duration.ofHours(1));
      } finally {
        Workflow.newDetachedCancellationScope(() -> quick().note(name, "swept")).run();
      }
    }
  }

  /** It runs one of the activities and says how it ended. */
  @WorkflowInterface
  public interface Activities {
    @WorkflowMethod
    String run(String what, String name);

    @SignalMethod
    void stop();
  }

  public static class ActivitiesRun implements Activities {
    private boolean stopped;
    private Promise<Void> beating;

    @Override
    public String run(String what, String name) {
      return attempt(() -> tried(what, name));
    }

    private String tried(String what, String name) {
      RetryOptions.Builder retry =
          RetryOptions.newBuilder().setInitialInterval(Duration.ofMillis(50)).setDoNotRetry("Hopeless");
      ActivityOptions.Builder options =
          ActivityOptions.newBuilder()
              .setStartToCloseTimeout(Duration.ofSeconds(20))
              .setHeartbeatTimeout(Duration.ofSeconds(20))
              .setCancellationType(ActivityCancellationType.WAIT_CANCELLATION_COMPLETED);
      if (what.equals("silent")) {
        options.setHeartbeatTimeout(Duration.ofMillis(500));
        retry.setMaximumAttempts(1);
      }
      if (what.equals("slow")) {
        options.setStartToCloseTimeout(Duration.ofMillis(500));
        retry.setMaximumAttempts(2);
      }
      if (what.equals("nobody")) options.setTaskQueue("nobody-" + name).setScheduleToStartTimeout(Duration.ofMillis(500));
      Tools tools = Workflow.newActivityStub(Tools.class, options.setRetryOptions(retry.build()).build());
      switch (what) {
        case "retried":
          return tools.retried();
        case "resumed":
          return tools.resumed();
        case "outside":
          return tools.outside(name);
        case "nobody":
          return tools.echo("");
        case "broken":
          tools.broken();
          return "";
        case "cancel":
          CancellationScope scope = Workflow.newCancellationScope(() -> beating = Async.procedure(tools::beat, name));
          scope.run();
          Workflow.await(() -> stopped);
          scope.cancel();
          beating.get();
          return "";
        default:
          tools.stuck(1.5);
          return "";
      }
    }

    @Override
    public void stop() {
      stopped = true;
    }
  }

  /** It runs a local activity: at once, at the third attempt, failing, or longer than a workflow task may take. */
  @WorkflowInterface
  public interface Locals {
    @WorkflowMethod
    String run(String what);
  }

  public static class LocalsRun implements Locals {
    @Override
    public String run(String what) {
      return attempt(
          () -> {
            if (what.equals("echo")) return local().echo("at once");
            if (what.equals("retried")) return local().retried();
            if (what.equals("broken")) local().broken();
            if (what.equals("long")) local().stuck(5);
            return "";
          });
    }
  }

  /** It gathers signals until the end. */
  @WorkflowInterface
  public interface Letters {
    @WorkflowMethod
    String run();

    @SignalMethod
    void letter(String word);
  }

  public static class LettersRun implements Letters {
    private String text = "";

    @Override
    public String run() {
      Workflow.await(() -> text.endsWith("."));
      return text;
    }

    @Override
    public void letter(String word) {
      text += word;
    }
  }

  /** It answers queries. */
  @WorkflowInterface
  public interface Waiting {
    @WorkflowMethod
    void run();

    @QueryMethod
    String state(String mark);

    @SignalMethod
    void close();
  }

  public static class WaitingRun implements Waiting {
    private String now = "waiting";

    @Override
    public void run() {
      Workflow.await(() -> now.equals("done"));
    }

    @Override
    public String state(String mark) {
      return now + mark;
    }

    @Override
    public void close() {
      now = "done";
    }
  }

  /** It has a timer that fires and one that does not. */
  @WorkflowInterface
  public interface Timers {
    @WorkflowMethod
    String run();
  }

  public static class TimersRun implements Timers {
    private Promise<Void> never;

    @Override
    public String run() {
      CancellationScope scope = Workflow.newCancellationScope(() -> never = Workflow.newTimer(Duration.ofHours(1)));
      scope.run();
      Workflow.sleep(Duration.ofMillis(200));
      scope.cancel();
      return "fired, " + attempt(() -> String.valueOf(never.get()));
    }
  }

  /** It takes a new path, for good. */
  @WorkflowInterface
  public interface Versioned {
    @WorkflowMethod
    String run();
  }

  public static class VersionedRun implements Versioned {
    @Override
    public String run() {
      int version = Workflow.getVersion("new-path", Workflow.DEFAULT_VERSION, 1);
      Workflow.sleep(Duration.ofMillis(10));
      return version == 1 && Workflow.getVersion("new-path", Workflow.DEFAULT_VERSION, 1) == 1 ? "new path" : "old path";
    }
  }

  /** It runs side effects, which a replay does not repeat. */
  @WorkflowInterface
  public interface Effects {
    @WorkflowMethod
    String run();
  }

  public static class EffectsRun implements Effects {
    @Override
    public String run() {
      String once = Workflow.sideEffect(String.class, () -> "once");
      int number = 0;
      for (int n : new int[] {1, 1, 2})
        number = Workflow.mutableSideEffect("number", Integer.class, (a, b) -> !a.equals(b), () -> n);
      Workflow.sleep(Duration.ofMillis(10));
      return once + " " + number;
    }
  }

  /** It changes its search attributes and its memo. */
  @WorkflowInterface
  public interface Labelled {
    @WorkflowMethod
    void run();

    @SignalMethod
    void close();
  }

  public static class LabelledRun implements Labelled {
    private boolean closed;

    @Override
    public void run() {
      Workflow.upsertTypedSearchAttributes(KEYWORD.valueSet("after"), NUMBER.valueSet(7L));
      Map<String, Object> memo = new HashMap<>(Map.of("changed", "after", "added", "new"));
      memo.put("gone", null);
      Workflow.upsertMemo(memo);
      Workflow.await(() -> closed);
    }

    @Override
    public void close() {
      closed = true;
    }
  }

  /** It fails before its third attempt. */
  @WorkflowInterface
  public interface Again {
    @WorkflowMethod
    String run();
  }

  public static class AgainRun implements Again {
    @Override
    public String run() {
      if (Workflow.getInfo().getAttempt() < 3) throw ApplicationFailure.newFailure("once more", "Again");
      return "attempt 3";
    }
  }

  /** It counts the runs of a schedule by what the last one left. */
  @WorkflowInterface
  public interface Tick {
    @WorkflowMethod
    int run(String name);
  }

  public static class TickRun implements Tick {
    @Override
    public int run(String name) {
      Integer before = Workflow.getLastCompletionResult(Integer.class);
      int last = before == null ? 0 : before;
      quick().note(name, String.valueOf(last));
      return last + 1;
    }
  }
}
