package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
)

var checks = map[string]Check{
	"update accepted": func(ctx context.Context, id string) (client.WorkflowRun, saw) {
		run := start(ctx, id, Account)
		result := update[int](ctx, run, "add", "", 5)
		return run, saw{"result": result, "balance": closed(ctx, run)}
	},
	"update rejected by its validator": func(ctx context.Context, id string) (client.WorkflowRun, saw) {
		run := start(ctx, id, Account)
		err := send(ctx, run, "add", "", -5).Get(ctx, nil)
		return run, saw{"not enough": strings.Contains(fmt.Sprint(err), "not enough"), "balance": closed(ctx, run)}
	},
	"update failed after its acceptance": func(ctx context.Context, id string) (client.WorkflowRun, saw) {
		run := start(ctx, id, Account)
		err := send(ctx, run, "refuse", "").Get(ctx, nil)
		return run, saw{"failure": named(err), "balance": closed(ctx, run)}
	},
	"update with an activity": func(ctx context.Context, id string) (client.WorkflowRun, saw) {
		run := start(ctx, id, Account)
		return run, saw{"result": update[int](ctx, run, "slowly", "", 4), "balance": closed(ctx, run)}
	},
	"update sent twice": func(ctx context.Context, id string) (client.WorkflowRun, saw) {
		run := start(ctx, id, Account)
		results := []int{update[int](ctx, run, "add", "one", 5), update[int](ctx, run, "add", "one", 5)}
		return run, saw{"results": results, "balance": closed(ctx, run)}
	},
	"update fetched by its id": func(ctx context.Context, id string) (client.WorkflowRun, saw) {
		run := start(ctx, id, Account)
		must(p.UpdateWorkflow(ctx, client.UpdateWorkflowOptions{
			WorkflowID: run.GetID(), UpdateID: "u", UpdateName: "slowly", Args: []any{3}, WaitForStage: client.WorkflowUpdateStageAccepted,
		}))
		var result int
		handle := p.GetWorkflowUpdateHandle(client.GetWorkflowUpdateHandleOptions{WorkflowID: run.GetID(), UpdateID: "u"})
		check(handle.Get(ctx, &result))
		return run, saw{"result": result, "balance": closed(ctx, run)}
	},
	"update with start": func(ctx context.Context, id string) (client.WorkflowRun, saw) {
		first, run := updateWithStart(ctx, id, 3)
		second, again := updateWithStart(ctx, id, 4)
		return run, saw{"first": first, "second": second, "same run": run.GetRunID() == again.GetRunID(), "balance": closed(ctx, run)}
	},
	"update with start rejected by its validator": func(ctx context.Context, id string) (client.WorkflowRun, saw) {
		refused, run := updateWithStart(ctx, id, -3)
		return run, saw{"not enough": refused, "balance": closed(ctx, run)}
	},
	"child completes":    parent("answer"),
	"child of a child":   parent("deep"),
	"child fails":        parent("fail"),
	"child is cancelled": parent("cancel"),
	"child times out":    parent("time out"),
	"child id is in use": parent("in use"),
	"child is signalled": parent("listen"),
	"child is terminated": func(ctx context.Context, id string) (client.WorkflowRun, saw) {
		run := start(ctx, id, Parent, "wait")
		until(func() bool { return p.TerminateWorkflow(ctx, run.GetID()+" child", "", "enough") == nil })
		return run, saw{"answer": result[string](ctx, run)}
	},
	"parent close policies": func(ctx context.Context, id string) (client.WorkflowRun, saw) {
		run := start(ctx, id, Family)
		check(run.Get(ctx, nil))
		until(func() bool {
			return status(ctx, run.GetID()+" RequestCancel") == "Canceled" && status(ctx, run.GetID()+" Terminate") == "Terminated"
		})
		abandoned := status(ctx, run.GetID()+" Abandon")
		check(p.TerminateWorkflow(ctx, run.GetID()+" Abandon", "", "enough"))
		return run, saw{"terminate": "terminated", "request cancel": "canceled", "abandon": strings.ToLower(abandoned)}
	},
	"signal from a workflow": func(ctx context.Context, id string) (client.WorkflowRun, saw) {
		other := start(ctx, id+"other ", Leaf, "listen")
		run := start(ctx, id, Poke, "signal", other.GetID())
		return run, saw{"poke": result[string](ctx, run), "other": result[string](ctx, other)}
	},
	"signal from a workflow to nobody": poke("signal"),
	"cancel from a workflow": func(ctx context.Context, id string) (client.WorkflowRun, saw) {
		other := start(ctx, id+"other ", Leaf, "wait")
		run := start(ctx, id, Poke, "cancel", other.GetID())
		poked := result[string](ctx, run)
		return run, saw{"poke": poked, "other cancelled": temporal.IsCanceledError(other.Get(ctx, nil))}
	},
	"cancel from a workflow to nobody": poke("cancel"),
	"continue as new":                  answered(Countdown, 3),
	"signal carried over continue as new": func(ctx context.Context, id string) (client.WorkflowRun, saw) {
		run := start(ctx, id, Disturbed, 100, "signal")
		first := p.GetWorkflow(ctx, run.GetID(), run.GetRunID())
		return first, saw{"total": result[int](ctx, run)}
	},
	"update carried over continue as new": func(ctx context.Context, id string) (client.WorkflowRun, saw) {
		run := start(ctx, id, Disturbed, 100, "update")
		first := p.GetWorkflow(ctx, run.GetID(), run.GetRunID())
		return first, saw{"total": result[int](ctx, run), "update": strings.Fields(<-p.note("updated " + run.GetID()))[0]}
	},
	"workflow cancelled and cleaned up": func(ctx context.Context, id string) (client.WorkflowRun, saw) {
		run := start(ctx, id, Tidy, id)
		check(p.CancelWorkflow(ctx, run.GetID(), ""))
		cancelled := temporal.IsCanceledError(run.Get(ctx, nil))
		return run, saw{"cancelled": cancelled, "cleanup": <-p.note(id)}
	},
	"workflow does not mind its cancellation": func(ctx context.Context, id string) (client.WorkflowRun, saw) {
		run := start(ctx, id, Stubborn)
		check(p.CancelWorkflow(ctx, run.GetID(), ""))
		return run, saw{"answer": result[string](ctx, run)}
	},
	"activity cancelled by its heartbeat": func(ctx context.Context, id string) (client.WorkflowRun, saw) {
		run := start(ctx, id, Activities, "cancel", id)
		<-p.note(id)
		check(p.SignalWorkflow(ctx, run.GetID(), "", "stop", nil))
		return run, saw{"activity": <-p.note(id), "answer": result[string](ctx, run)}
	},
	"activity goes on from its heartbeat": answered(Activities, "resumed", ""),
	"activity retried":                    answered(Activities, "retried", ""),
	"activity fails for good":             answered(Activities, "broken", ""),
	"activity misses its heartbeat":       answered(Activities, "silent", ""),
	"activity takes too long twice":       answered(Activities, "slow", ""),
	"activity is not picked up":           answered(Activities, "nobody", ""),
	"activity completed from outside": func(ctx context.Context, id string) (client.WorkflowRun, saw) {
		run := start(ctx, id, Activities, "outside", id)
		check(p.CompleteActivity(ctx, []byte(<-p.note(id)), "from outside", nil))
		return run, saw{"answer": result[string](ctx, run)}
	},
	"local activity":         answered(Locals, "echo"),
	"local activity retried": answered(Locals, "retried"),
	"local activity fails":   answered(Locals, "broken"),
	"local activity beats for its workflow task": func(ctx context.Context, id string) (client.WorkflowRun, saw) {
		options := p.options(id)
		options.WorkflowTaskTimeout = 3 * time.Second
		run := must(p.ExecuteWorkflow(ctx, options, Locals, "long"))
		return run, saw{"answer": result[string](ctx, run)}
	},
	"signals in order": func(ctx context.Context, id string) (client.WorkflowRun, saw) {
		run := start(ctx, id, Letters)
		for _, word := range []string{"a", "b", "c", "."} {
			check(p.SignalWorkflow(ctx, run.GetID(), "", "letter", word))
		}
		return run, saw{"answer": result[string](ctx, run)}
	},
	"signal with start": func(ctx context.Context, id string) (client.WorkflowRun, saw) {
		run := must(p.SignalWithStartWorkflow(ctx, p.options(id).ID, "letter", "a", p.options(id), Letters))
		again := must(p.SignalWithStartWorkflow(ctx, p.options(id).ID, "letter", ".", p.options(id), Letters))
		return run, saw{"same run": run.GetRunID() == again.GetRunID(), "answer": result[string](ctx, run)}
	},
	"queries": func(ctx context.Context, id string) (client.WorkflowRun, saw) {
		run := start(ctx, id, Waiting)
		waiting := query(ctx, run, "?")
		_, err := p.QueryWorkflow(ctx, run.GetID(), "", "unknown")
		check(p.SignalWorkflow(ctx, run.GetID(), "", "close", nil))
		check(run.Get(ctx, nil))
		rejected := must(p.QueryWorkflowWithOptions(ctx, &client.QueryWorkflowWithOptionsRequest{
			WorkflowID: run.GetID(), QueryType: "state", Args: []any{"?"}, QueryRejectCondition: enums.QUERY_REJECT_CONDITION_NOT_OPEN,
		})).QueryRejected.GetStatus()
		return run, saw{"waiting": waiting, "unknown": err != nil, "closed": query(ctx, run, "!"), "rejected": strings.ToLower(rejected.String())}
	},
	"timers":         answered(Timers),
	"version marker": answered(Versioned),
	"side effects":   answered(Effects),
	"search attributes": func(ctx context.Context, id string) (client.WorkflowRun, saw) {
		run := labelled(ctx, id)
		attributes := must(p.DescribeWorkflow(ctx, run.GetID(), "")).TypedSearchAttributes
		word, _ := attributes.GetKeyword(keyword)
		n, _ := attributes.GetInt64(number)
		request := &workflowservice.ListWorkflowExecutionsRequest{Query: "SdkKeyword = 'after' AND SdkNumber > 6 AND WorkflowId = '" + run.GetID() + "'"}
		until(func() bool { return len(must(p.ListWorkflow(ctx, request)).Executions) == 1 })
		check(p.SignalWorkflow(ctx, run.GetID(), "", "close", nil))
		return run, saw{"keyword": word, "number": n, "listed": true}
	},
	"memo": func(ctx context.Context, id string) (client.WorkflowRun, saw) {
		run := labelled(ctx, id)
		seen := saw{}
		for name, payload := range must(p.DescribeWorkflowExecution(ctx, run.GetID(), "")).WorkflowExecutionInfo.Memo.Fields {
			var value string
			check(converter.GetDefaultDataConverter().FromPayload(payload, &value))
			seen[name] = value
		}
		check(p.SignalWorkflow(ctx, run.GetID(), "", "close", nil))
		return run, seen
	},
	"workflow retried": func(ctx context.Context, id string) (client.WorkflowRun, saw) {
		options := p.options(id)
		options.RetryPolicy = &temporal.RetryPolicy{InitialInterval: 50 * time.Millisecond, MaximumAttempts: 5}
		run := must(p.ExecuteWorkflow(ctx, options, Again))
		first := p.GetWorkflow(ctx, run.GetID(), run.GetRunID())
		return first, saw{"answer": result[string](ctx, run)}
	},
	"workflow times out": func(ctx context.Context, id string) (client.WorkflowRun, saw) {
		options := p.options(id)
		options.WorkflowRunTimeout = time.Second
		run := must(p.ExecuteWorkflow(ctx, options, Leaf, "wait"))
		return run, saw{"failed": run.Get(ctx, nil) != nil}
	},
	"workflow terminated": func(ctx context.Context, id string) (client.WorkflowRun, saw) {
		run := start(ctx, id, Leaf, "wait")
		check(p.TerminateWorkflow(ctx, run.GetID(), "", "enough"))
		return run, saw{"failed": run.Get(ctx, nil) != nil}
	},
	"workflow id is in use": func(ctx context.Context, id string) (client.WorkflowRun, saw) {
		run := start(ctx, id, Leaf, "wait")
		options := p.options(id)
		options.WorkflowExecutionErrorWhenAlreadyStarted = true
		_, err := p.ExecuteWorkflow(ctx, options, Leaf, "wait")
		options.WorkflowIDConflictPolicy = enums.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING
		same := must(p.ExecuteWorkflow(ctx, options, Leaf, "wait"))
		options.WorkflowIDConflictPolicy = enums.WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING
		other := must(p.ExecuteWorkflow(ctx, options, Leaf, "again"))
		_, refused := err.(*serviceerror.WorkflowExecutionAlreadyStarted)
		return run, saw{"refused": refused, "same run": same.GetRunID() == run.GetRunID(), "new run": result[string](ctx, other)}
	},
	"cron": func(ctx context.Context, id string) (client.WorkflowRun, saw) {
		options := p.options(id)
		options.CronSchedule = "@every 1s"
		run := must(p.ExecuteWorkflow(ctx, options, Tick, id))
		first := p.GetWorkflow(ctx, run.GetID(), run.GetRunID())
		results := []string{<-p.note(id), <-p.note(id)}
		check(p.TerminateWorkflow(ctx, run.GetID(), "", "enough"))
		return first, saw{"last results": results}
	},
	"started late": func(ctx context.Context, id string) (client.WorkflowRun, saw) {
		options := p.options(id)
		options.StartDelay = time.Second
		began := time.Now()
		run := must(p.ExecuteWorkflow(ctx, options, Leaf, "late"))
		return run, saw{"answer": result[string](ctx, run), "late": time.Since(began) > 900*time.Millisecond}
	},
	"started eagerly": func(ctx context.Context, id string) (client.WorkflowRun, saw) {
		options := p.options(id)
		options.EnableEagerStart = true
		run := must(p.ExecuteWorkflow(ctx, options, Leaf, "eager"))
		return run, saw{"answer": result[string](ctx, run)}
	},
	"session": answered(Session),
}

func start(ctx context.Context, id string, workflow any, args ...any) client.WorkflowRun {
	return must(p.ExecuteWorkflow(ctx, p.options(id), workflow, args...))
}

func result[T any](ctx context.Context, run client.WorkflowRun) (value T) {
	check(run.Get(ctx, &value))
	return
}

func answered(workflow any, args ...any) Check {
	return func(ctx context.Context, id string) (client.WorkflowRun, saw) {
		run := start(ctx, id, workflow, args...)
		first := p.GetWorkflow(ctx, run.GetID(), run.GetRunID())
		return first, saw{"answer": result[string](ctx, run)}
	}
}

func parent(what string) Check { return answered(Parent, what) }

func poke(how string) Check {
	return func(ctx context.Context, id string) (client.WorkflowRun, saw) {
		run := start(ctx, id, Poke, how, "nobody")
		return run, saw{"poke": result[string](ctx, run)}
	}
}

func send(ctx context.Context, run client.WorkflowRun, name, id string, args ...any) client.WorkflowUpdateHandle {
	return must(p.UpdateWorkflow(ctx, client.UpdateWorkflowOptions{
		WorkflowID: run.GetID(), UpdateID: id, UpdateName: name, Args: args, WaitForStage: client.WorkflowUpdateStageCompleted,
	}))
}

func update[T any](ctx context.Context, run client.WorkflowRun, name, id string, args ...any) (value T) {
	check(send(ctx, run, name, id, args...).Get(ctx, &value))
	return
}

func updateWithStart(ctx context.Context, id string, amount int) (any, client.WorkflowRun) {
	options := p.options(id)
	options.WorkflowIDConflictPolicy = enums.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING
	operation := p.NewWithStartWorkflowOperation(options, Account)
	handle := must(p.UpdateWithStartWorkflow(ctx, client.UpdateWithStartWorkflowOptions{
		StartWorkflowOperation: operation,
		UpdateOptions: client.UpdateWorkflowOptions{
			UpdateName: "add", Args: []any{amount}, WaitForStage: client.WorkflowUpdateStageCompleted,
		},
	}))
	run := must(operation.Get(ctx))
	var value int
	if err := handle.Get(ctx, &value); err != nil {
		return strings.Contains(err.Error(), "not enough"), run
	}
	return value, run
}

// closed ends an account and returns its balance.
func closed(ctx context.Context, run client.WorkflowRun) int {
	check(p.SignalWorkflow(ctx, run.GetID(), "", "close", nil))
	return result[int](ctx, run)
}

func status(ctx context.Context, id string) string {
	return must(p.DescribeWorkflowExecution(ctx, id, "")).WorkflowExecutionInfo.Status.String()
}

func query(ctx context.Context, run client.WorkflowRun, mark string) (state string) {
	check(must(p.QueryWorkflow(ctx, run.GetID(), "", "state", mark)).Get(&state))
	return
}

// labelled has run its first task when this returns.
func labelled(ctx context.Context, id string) client.WorkflowRun {
	options := p.options(id)
	options.TypedSearchAttributes = temporal.NewSearchAttributes(keyword.ValueSet("before"))
	options.Memo = map[string]any{"kept": "before", "changed": "before", "gone": "before"}
	run := must(p.ExecuteWorkflow(ctx, options, Labelled))
	until(func() bool {
		return must(p.DescribeWorkflow(ctx, run.GetID(), "")).HistoryLength > 5
	})
	return run
}

func until(true func() bool) {
	for began := time.Now(); !true(); time.Sleep(50 * time.Millisecond) {
		if time.Since(began) > 20*time.Second {
			panic("it did not come true")
		}
	}
}
