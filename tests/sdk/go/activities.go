package main

import (
	"context"
	"fmt"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
)

// Tools are the activities.
type Tools struct{}

var tools *Tools

// Echo gives back what it gets.
func (*Tools) Echo(text string) (string, error) { return text, nil }

// Note tells the check named `name`.
func (*Tools) Note(name, text string) error {
	p.note(name) <- text
	return nil
}

// Retried fails before its third attempt.
func (*Tools) Retried(ctx context.Context) (string, error) {
	if n := activity.GetInfo(ctx).Attempt; n < 3 {
		return "", fmt.Errorf("no luck with attempt %d", n)
	}
	return "attempt 3", nil
}

// Broken fails for good.
func (*Tools) Broken() error { return temporal.NewApplicationError("it never works", "Hopeless") }

// Resumed leaves word of how far it came, and goes on from there.
func (*Tools) Resumed(ctx context.Context) (string, error) {
	var at string
	if activity.HasHeartbeatDetails(ctx) {
		err := activity.GetHeartbeatDetails(ctx, &at)
		return "from " + at, err
	}
	activity.RecordHeartbeat(ctx, "halfway")
	return "", fmt.Errorf("lost")
}

// Beat beats until it hears of its cancellation.
func (*Tools) Beat(ctx context.Context, name string) error {
	p.note(name) <- "beating"
	for {
		select {
		case <-ctx.Done():
			p.note(name) <- "heard of it"
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
			activity.RecordHeartbeat(ctx)
		}
	}
}

// Stuck is silent for `seconds`.
func (*Tools) Stuck(ctx context.Context, seconds float64) error {
	select {
	case <-ctx.Done():
	case <-time.After(time.Duration(seconds * float64(time.Second))):
	}
	return nil
}

// Outside is completed by somebody who has its token.
func (*Tools) Outside(ctx context.Context, name string) (string, error) {
	p.note(name) <- string(activity.GetInfo(ctx).TaskToken)
	return "", activity.ErrResultPending
}

// Disturb sends its workflow a signal or an update while the workflow's task is held: once.
func (*Tools) Disturb(ctx context.Context, how string) error {
	info := activity.GetInfo(ctx).WorkflowExecution
	select {
	case done := <-p.note("disturbed " + info.ID):
		p.note("disturbed " + info.ID) <- done
		return nil
	default:
		p.note("disturbed " + info.ID) <- "done"
	}
	if how == "signal" {
		return p.SignalWorkflow(ctx, info.ID, info.RunID, "add", 1)
	}
	go func() {
		var total int
		handle, err := p.UpdateWorkflow(context.Background(), client.UpdateWorkflowOptions{
			WorkflowID: info.ID, UpdateName: "add", Args: []any{10}, WaitForStage: client.WorkflowUpdateStageCompleted,
		})
		if err == nil {
			err = handle.Get(context.Background(), &total)
		}
		p.note("updated " + info.ID) <- fmt.Sprint(total, err)
	}()
	time.Sleep(500 * time.Millisecond)
	return nil
}
