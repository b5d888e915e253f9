import io.temporal.activity.Activity;
import io.temporal.activity.ActivityInfo;
import io.temporal.activity.ActivityInterface;
import io.temporal.client.ActivityCompletionException;
import io.temporal.client.WorkflowStub;
import io.temporal.failure.ApplicationFailure;
import java.nio.charset.StandardCharsets;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;

/** The activities of the checklist. */
@ActivityInterface
public interface Tools {
  String echo(String text);

  /** Tells the check of that name. */
  void note(String name, String text);

  /** Fails before its third attempt. */
  String retried();

  /** Fails for good. */
  void broken();

  /** Leaves word of how far it came, and goes on from there. */
  String resumed();

  /** Beats until it hears of its cancellation. */
  void beat(String name);

  /** Is silent. */
  void stuck(double seconds);

  /** Is completed by somebody who has its token. */
  String outside(String name);

  /** Sends its workflow a signal or an update while the workflow's task is held: once. */
  void disturb(String how);

  /** What they do. */
  class Hands implements Tools {
    private final Set<String> disturbed = ConcurrentHashMap.newKeySet();

    @Override
    public String echo(String text) {
      return text;
    }

    @Override
    public void note(String name, String text) {
      Main.note(name).add(text);
    }

    @Override
    public String retried() {
      int attempt = Activity.getExecutionContext().getInfo().getAttempt();
      if (attempt < 3) throw new IllegalStateException("no luck with attempt " + attempt);
      return "attempt 3";
    }

    @Override
    public void broken() {
      throw ApplicationFailure.newFailure("it never works", "Hopeless");
    }

    @Override
    public String resumed() {
      Optional<String> at = Activity.getExecutionContext().getHeartbeatDetails(String.class);
      if (at.isPresent()) return "from " + at.get();
      Activity.getExecutionContext().heartbeat("halfway");
      throw new IllegalStateException("lost");
    }

    @Override
    public void beat(String name) {
      note(name, "beating");
      try {
        while (true) {
          Main.sleep(0.1);
          Activity.getExecutionContext().heartbeat(null);
        }
      } catch (ActivityCompletionException e) {
        note(name, "heard of it");
        throw e;
      }
    }

    @Override
    public void stuck(double seconds) {
      Main.sleep(seconds);
    }

    @Override
    public String outside(String name) {
      byte[] token = Activity.getExecutionContext().getTaskToken();
      Activity.getExecutionContext().doNotCompleteOnReturn();
      note(name, new String(token, StandardCharsets.ISO_8859_1));
      return null;
    }

    @Override
    public void disturb(String how) {
      ActivityInfo info = Activity.getExecutionContext().getInfo();
      if (!disturbed.add(info.getWorkflowId())) return;
      WorkflowStub workflow = Main.client.newUntypedWorkflowStub(info.getWorkflowId());
      if (how.equals("signal")) {
        workflow.signal("addLater", 1);
        return;
      }
      CompletableFuture.supplyAsync(() -> String.valueOf(workflow.update("add", Integer.class, 10)), Main.THREADS)
          .exceptionally(String::valueOf)
          .thenAccept(text -> note("updated " + info.getWorkflowId(), text));
      Main.sleep(0.5);
    }
  }
}
