package main

import (
	"errors"
	"fmt"
	"time"

	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

func register(w worker.Worker) {
	for _, f := range []any{
		Account, Leaf, Middle, Parent, Family, Countdown, Disturbed, Tidy, Stubborn, Activities, Locals, Letters, Waiting, Timers,
		Versioned, Effects, Labelled, Again, Tick, Poke, Session,
	} {
		w.RegisterWorkflow(f)
	}
}

func quick(ctx workflow.Context) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: 20 * time.Second})
}

func local(ctx workflow.Context) workflow.Context {
	return workflow.WithLocalActivityOptions(ctx, workflow.LocalActivityOptions{StartToCloseTimeout: 20 * time.Second})
}

// named is an application error's type and message, or another error's words.
func named(err error) string {
	var application *temporal.ApplicationError
	if errors.As(err, &application) {
		return application.Type() + ": " + application.Message()
	}
	return err.Error()
}

// Account has a balance that updates change, never below nothing.
func Account(ctx workflow.Context) (int, error) {
	balance, busy := 0, 0
	add := func(ctx workflow.Context, amount int) (int, error) {
		balance += amount
		return balance, nil
	}
	options := workflow.UpdateHandlerOptions{Validator: func(ctx workflow.Context, amount int) error {
		if balance+amount < 0 {
			return errors.New("not enough")
		}
		return nil
	}}
	slowly := func(ctx workflow.Context, amount int) (int, error) {
		busy++
		defer func() { busy-- }()
		err := workflow.ExecuteActivity(quick(ctx), tools.Echo, "slowly").Get(ctx, nil)
		balance += amount
		return balance, err
	}
	refuse := func(ctx workflow.Context) error { return temporal.NewApplicationError("not today", "Refused") }
	err := errors.Join(
		workflow.SetUpdateHandlerWithOptions(ctx, "add", add, options),
		workflow.SetUpdateHandler(ctx, "slowly", slowly),
		workflow.SetUpdateHandler(ctx, "refuse", refuse),
	)
	if err != nil {
		return 0, err
	}
	workflow.GetSignalChannel(ctx, "close").Receive(ctx, nil)
	return balance, workflow.Await(ctx, func() bool { return busy == 0 })
}

// Leaf is a child: it fails, waits, hears a letter, or answers.
func Leaf(ctx workflow.Context, what string) (string, error) {
	switch what {
	case "fail":
		return "", temporal.NewApplicationError("child broke", "Broken")
	case "wait":
		return "", workflow.Sleep(ctx, time.Hour)
	case "listen":
		var word string
		workflow.GetSignalChannel(ctx, "letter").Receive(ctx, &word)
		return "heard " + word, nil
	}
	return "leaf " + what, nil
}

func child(ctx workflow.Context, what string) workflow.Context {
	id := workflow.GetInfo(ctx).WorkflowExecution.ID + " " + what
	return workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{WorkflowID: id, WaitForCancellation: true})
}

// Middle is a child with a child.
func Middle(ctx workflow.Context, what string) (string, error) {
	var answer string
	err := workflow.ExecuteChildWorkflow(child(ctx, "leaf"), Leaf, what).Get(ctx, &answer)
	return "middle of " + answer, err
}

// Parent has one child, and says what became of it.
func Parent(ctx workflow.Context, what string) (string, error) {
	options := workflow.GetChildWorkflowOptions(child(ctx, "child"))
	switch what {
	case "time out":
		options.WorkflowRunTimeout, what = time.Second, "wait"
	case "in use":
		options.WorkflowID = workflow.GetInfo(ctx).WorkflowExecution.ID
	}
	childCtx, cancel := workflow.WithCancel(workflow.WithChildOptions(ctx, options))
	var future workflow.ChildWorkflowFuture
	var execution workflow.Execution
	if what == "deep" {
		future = workflow.ExecuteChildWorkflow(childCtx, Middle, "deep")
	} else {
		kind := what
		if what == "cancel" {
			kind = "wait"
		}
		future = workflow.ExecuteChildWorkflow(childCtx, Leaf, kind)
	}
	err := future.GetChildWorkflowExecution().Get(ctx, &execution)
	if err == nil && what == "cancel" {
		cancel()
	}
	if err == nil && what == "listen" {
		err = future.SignalChildWorkflow(ctx, "letter", "hello").Get(ctx, nil)
	}
	var answer string
	if err == nil {
		err = future.Get(ctx, &answer)
	}
	var timeout *temporal.TimeoutError
	var started *temporal.ChildWorkflowExecutionAlreadyStartedError
	var terminated *temporal.TerminatedError
	switch {
	case err == nil:
		return answer, nil
	case temporal.IsCanceledError(err):
		return "cancelled", nil
	case errors.As(err, &timeout):
		return "timed out", nil
	case errors.As(err, &started):
		return "already started", nil
	case errors.As(err, &terminated):
		return "terminated", nil
	}
	return named(err), nil
}

// Family ends before its children do.
func Family(ctx workflow.Context) error {
	policies := []enums.ParentClosePolicy{
		enums.PARENT_CLOSE_POLICY_TERMINATE, enums.PARENT_CLOSE_POLICY_REQUEST_CANCEL, enums.PARENT_CLOSE_POLICY_ABANDON,
	}
	for _, policy := range policies {
		options := workflow.GetChildWorkflowOptions(child(ctx, policy.String()))
		options.ParentClosePolicy = policy
		future := workflow.ExecuteChildWorkflow(workflow.WithChildOptions(ctx, options), Leaf, "wait")
		if err := future.GetChildWorkflowExecution().Get(ctx, nil); err != nil {
			return err
		}
	}
	return nil
}

// Poke signals or cancels another workflow.
func Poke(ctx workflow.Context, how, id string) (string, error) {
	var future workflow.Future
	if how == "signal" {
		future = workflow.SignalExternalWorkflow(ctx, id, "", "letter", "hello")
	} else {
		future = workflow.RequestCancelExternalWorkflow(ctx, id, "")
	}
	if err := future.Get(ctx, nil); err != nil {
		return "failed", nil
	}
	return "done", nil
}

// Countdown continues as new until nothing is left.
func Countdown(ctx workflow.Context, left int) (string, error) {
	if left > 0 {
		return "", workflow.NewContinueAsNewError(ctx, Countdown, left-1)
	}
	return "lift off", nil
}

// Disturbed wants to continue as new just when a signal or an update comes.
func Disturbed(ctx workflow.Context, total int, how string) (int, error) {
	err := workflow.SetUpdateHandler(ctx, "add", func(ctx workflow.Context, amount int) (int, error) {
		total += amount
		return total, nil
	})
	if err != nil {
		return 0, err
	}
	if how == "" {
		return total, workflow.Await(ctx, func() bool { return total > 100 })
	}
	if err := workflow.ExecuteLocalActivity(local(ctx), tools.Disturb, how).Get(ctx, nil); err != nil {
		return 0, err
	}
	for amount := 0; workflow.GetSignalChannel(ctx, "add").ReceiveAsync(&amount); {
		total += amount
	}
	return 0, workflow.NewContinueAsNewError(ctx, Disturbed, total, "")
}

// Tidy cleans up when it is cancelled.
func Tidy(ctx workflow.Context, name string) error {
	err := workflow.Sleep(ctx, time.Hour)
	free, cancel := workflow.NewDisconnectedContext(ctx)
	defer cancel()
	return errors.Join(workflow.ExecuteActivity(quick(free), tools.Note, name, "swept").Get(free, nil), err)
}

// Stubborn does not mind being cancelled.
func Stubborn(ctx workflow.Context) (string, error) {
	ctx.Done().Receive(ctx, nil)
	return "so what", nil
}

// Activities runs one of the activities and says how it ended.
func Activities(ctx workflow.Context, what, name string) (string, error) {
	options := workflow.ActivityOptions{
		StartToCloseTimeout: 20 * time.Second, WaitForCancellation: true, HeartbeatTimeout: 20 * time.Second,
		RetryPolicy: &temporal.RetryPolicy{InitialInterval: 50 * time.Millisecond, NonRetryableErrorTypes: []string{"Hopeless"}},
	}
	stop, cancel := workflow.WithCancel(ctx)
	defer cancel()
	var future workflow.Future
	switch what {
	case "retried":
		future = workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, options), tools.Retried)
	case "broken":
		future = workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, options), tools.Broken)
	case "resumed":
		future = workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, options), tools.Resumed)
	case "outside":
		future = workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, options), tools.Outside, name)
	case "silent":
		options.HeartbeatTimeout, options.RetryPolicy.MaximumAttempts = 500*time.Millisecond, 1
		future = workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, options), tools.Stuck, 1.5)
	case "slow":
		options.StartToCloseTimeout, options.RetryPolicy.MaximumAttempts = 500*time.Millisecond, 2
		future = workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, options), tools.Stuck, 1.5)
	case "nobody":
		options.TaskQueue, options.ScheduleToStartTimeout = "nobody-"+name, 500*time.Millisecond
		future = workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, options), tools.Echo, "")
	case "cancel":
		future = workflow.ExecuteActivity(workflow.WithActivityOptions(stop, options), tools.Beat, name)
		workflow.GetSignalChannel(ctx, "stop").Receive(ctx, nil)
		cancel()
	}
	var answer string
	err := future.Get(ctx, &answer)
	var timeout *temporal.TimeoutError
	switch {
	case err == nil:
		return answer, nil
	case temporal.IsCanceledError(err):
		return "cancelled", nil
	case errors.As(err, &timeout):
		kinds := map[enums.TimeoutType]string{
			enums.TIMEOUT_TYPE_HEARTBEAT: "heartbeat", enums.TIMEOUT_TYPE_START_TO_CLOSE: "start to close",
			enums.TIMEOUT_TYPE_SCHEDULE_TO_START: "schedule to start",
		}
		return "timeout: " + kinds[timeout.TimeoutType()], nil
	}
	return named(err), nil
}

// Locals runs a local activity: at once, at the third attempt, failing, or longer than a workflow task may take.
func Locals(ctx workflow.Context, what string) (answer string, err error) {
	options := workflow.LocalActivityOptions{
		StartToCloseTimeout: 20 * time.Second,
		RetryPolicy:         &temporal.RetryPolicy{InitialInterval: 20 * time.Millisecond, MaximumAttempts: 3},
	}
	ctx = workflow.WithLocalActivityOptions(ctx, options)
	switch what {
	case "echo":
		err = workflow.ExecuteLocalActivity(ctx, tools.Echo, "at once").Get(ctx, &answer)
	case "retried":
		err = workflow.ExecuteLocalActivity(ctx, tools.Retried).Get(ctx, &answer)
	case "broken":
		err = workflow.ExecuteLocalActivity(ctx, tools.Broken).Get(ctx, nil)
	case "long":
		err = workflow.ExecuteLocalActivity(ctx, tools.Stuck, 5.0).Get(ctx, nil)
	}
	if err != nil {
		return named(err), nil
	}
	return answer, nil
}

// Letters gathers signals until the end.
func Letters(ctx workflow.Context) (string, error) {
	text, word := "", ""
	for word != "." {
		workflow.GetSignalChannel(ctx, "letter").Receive(ctx, &word)
		text += word
	}
	return text, nil
}

// Waiting answers queries.
func Waiting(ctx workflow.Context) error {
	state := "waiting"
	err := workflow.SetQueryHandler(ctx, "state", func(mark string) (string, error) { return state + mark, nil })
	if err != nil {
		return err
	}
	workflow.GetSignalChannel(ctx, "close").Receive(ctx, nil)
	state = "done"
	return nil
}

// Timers has one that fires and one that does not.
func Timers(ctx workflow.Context) (string, error) {
	stop, cancel := workflow.WithCancel(ctx)
	never := workflow.NewTimer(stop, time.Hour)
	if err := workflow.Sleep(ctx, 200*time.Millisecond); err != nil {
		return "", err
	}
	cancel()
	if err := never.Get(ctx, nil); temporal.IsCanceledError(err) {
		return "fired, cancelled", nil
	}
	return "", errors.New("the timer was not cancelled")
}

// Versioned takes a new path, for good.
func Versioned(ctx workflow.Context) (string, error) {
	version := workflow.GetVersion(ctx, "new-path", workflow.DefaultVersion, 1)
	if err := workflow.Sleep(ctx, 10*time.Millisecond); err != nil {
		return "", err
	}
	if version == workflow.GetVersion(ctx, "new-path", workflow.DefaultVersion, 1) && version == 1 {
		return "new path", nil
	}
	return "old path", nil
}

// Effects runs side effects, which a replay does not repeat.
func Effects(ctx workflow.Context) (string, error) {
	var once string
	if err := workflow.SideEffect(ctx, func(workflow.Context) any { return "once" }).Get(&once); err != nil {
		return "", err
	}
	var number int
	for _, n := range []int{1, 1, 2} {
		get := func(workflow.Context) any { return n }
		value := workflow.MutableSideEffect(ctx, "number", get, func(a, b any) bool { return a == b })
		if err := value.Get(&number); err != nil {
			return "", err
		}
	}
	return fmt.Sprint(once, " ", number), workflow.Sleep(ctx, 10*time.Millisecond)
}

var keyword = temporal.NewSearchAttributeKeyKeyword("SdkKeyword")
var number = temporal.NewSearchAttributeKeyInt64("SdkNumber")

// Labelled changes its search attributes and its memo.
func Labelled(ctx workflow.Context) error {
	if err := workflow.UpsertTypedSearchAttributes(ctx, keyword.ValueSet("after"), number.ValueSet(7)); err != nil {
		return err
	}
	err := workflow.UpsertMemo(ctx, map[string]any{"changed": "after", "added": "new", "gone": nil})
	workflow.GetSignalChannel(ctx, "close").Receive(ctx, nil)
	return err
}

// Again fails before its third attempt.
func Again(ctx workflow.Context) (string, error) {
	if workflow.GetInfo(ctx).Attempt < 3 {
		return "", errors.New("once more")
	}
	return "attempt 3", nil
}

// Tick counts the runs of a schedule by what the last one left.
func Tick(ctx workflow.Context, name string) (int, error) {
	var last int
	if workflow.HasLastCompletionResult(ctx) {
		if err := workflow.GetLastCompletionResult(ctx, &last); err != nil {
			return 0, err
		}
	}
	return last + 1, workflow.ExecuteActivity(quick(ctx), tools.Note, name, fmt.Sprint(last)).Get(ctx, nil)
}

// Session runs two activities on one worker.
func Session(ctx workflow.Context) (string, error) {
	session, err := workflow.CreateSession(quick(ctx), &workflow.SessionOptions{
		ExecutionTimeout: 10 * time.Second, CreationTimeout: 10 * time.Second,
	})
	if err != nil {
		return "", err
	}
	defer workflow.CompleteSession(session)
	var a, b string
	err = workflow.ExecuteActivity(session, tools.Echo, "a").Get(session, &a)
	return a + b, errors.Join(err, workflow.ExecuteActivity(session, tools.Echo, "b").Get(session, &b))
}
