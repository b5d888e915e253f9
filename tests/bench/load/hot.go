package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	wsp "go.temporal.io/api/workflowservice/v1"
)

// hot signals one workflow from all clients at once, then checks that its
// history holds every signal, those of each client in the order acknowledged.
func (w *worker) hot(tag string) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(*maxSeconds)*time.Second)
	defer cancel()
	id := "hot-" + tag
	_, err := w.client(0).StartWorkflowExecution(ctx, &wsp.StartWorkflowExecutionRequest{
		Namespace: *namespace, WorkflowId: id, RequestId: id,
		WorkflowType: &commonpb.WorkflowType{Name: "bench"}, TaskQueue: &taskqueuepb.TaskQueue{Name: w.tq}})
	if err != nil {
		fmt.Fprintln(os.Stderr, "start:", err)
		os.Exit(1)
	}
	exec := &commonpb.WorkflowExecution{WorkflowId: id}
	each := *count / *inflight
	acknowledged := make([]int, *inflight)
	cpu0, _ := usage()
	began := time.Now()
	var wg sync.WaitGroup
	for c := range acknowledged {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for k := range each {
				name := fmt.Sprintf("%d/%d", c, k)
				_, err := w.client(c).SignalWorkflowExecution(ctx, &wsp.SignalWorkflowExecutionRequest{
					Namespace: *namespace, WorkflowExecution: exec, SignalName: name, RequestId: name, Input: data(*payload)})
				if err != nil {
					complain("signal", err)
					return
				}
				acknowledged[c]++
			}
		}()
	}
	wg.Wait()
	wall := time.Since(began).Seconds()
	cpu1, rss := usage()
	found, wrong := w.signals(ctx, exec, len(acknowledged))
	sent := 0
	for c, n := range acknowledged {
		sent += n
		wrong += max(0, n-found[c])
	}
	b, _ := json.Marshal(map[string]any{
		"scenario": "hot", "clients": *inflight, "signals": sent, "wall_s": wall, "signals_per_s": float64(sent) / wall,
		"lost_or_out_of_order": wrong, "server_cpu_ms_per_signal": (cpu1 - cpu0) * 1000 / float64(sent), "rss_mb": rss >> 20})
	fmt.Println(string(b))
	if wrong > 0 || sent < each**inflight {
		os.Exit(1)
	}
}

// signals reads the history: how many of each client there are, and how many stand out of order.
func (w *worker) signals(ctx context.Context, exec *commonpb.WorkflowExecution, clients int) ([]int, int) {
	found, wrong := make([]int, clients), 0
	request := &wsp.GetWorkflowExecutionHistoryRequest{Namespace: *namespace, Execution: exec}
	for {
		page, err := w.client(0).GetWorkflowExecutionHistory(ctx, request)
		if err != nil {
			fmt.Fprintln(os.Stderr, "history:", err)
			os.Exit(1)
		}
		for _, e := range page.History.Events {
			if a := e.GetWorkflowExecutionSignaledEventAttributes(); a != nil {
				client, number, _ := strings.Cut(a.SignalName, "/")
				c, _ := strconv.Atoi(client)
				k, _ := strconv.Atoi(number)
				if k != found[c] {
					wrong++
				}
				found[c] = k + 1
			}
		}
		if request.NextPageToken = page.NextPageToken; len(request.NextPageToken) == 0 {
			return found, wrong
		}
	}
}
