// A hello-world of the official Go SDK: one worker, one workflow, one activity. Prints the result.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

func Greet(ctx context.Context, name string) (string, error) {
	activity.GetLogger(ctx).Debug("greeting")
	return "Hello, " + name + "!", nil
}

func Hello(ctx workflow.Context, name string) (string, error) {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: 10 * time.Second})
	if err := workflow.Sleep(ctx, 100*time.Millisecond); err != nil {
		return "", err
	}
	var out string
	err := workflow.ExecuteActivity(ctx, Greet, name).Get(ctx, &out)
	return out, err
}

func main() {
	c, err := client.Dial(client.Options{HostPort: os.Args[1]})
	if err != nil {
		log.Fatalln(err)
	}
	defer c.Close()
	w := worker.New(c, "go-hello", worker.Options{})
	w.RegisterWorkflow(Hello)
	w.RegisterActivity(Greet)
	if err := w.Start(); err != nil {
		log.Fatalln(err)
	}
	defer w.Stop()
	run, err := c.ExecuteWorkflow(context.Background(), client.StartWorkflowOptions{TaskQueue: "go-hello"}, Hello, "Go")
	if err != nil {
		log.Fatalln(err)
	}
	var out string
	if err := run.Get(context.Background(), &out); err != nil {
		log.Fatalln(err)
	}
	fmt.Println(out)
}
