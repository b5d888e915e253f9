// The checklist of tests/sdk/checklist.py in the official Go SDK: a worker and a client that print what they saw, a line of JSON a check.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"sync"
	"time"

	"go.temporal.io/sdk/client"
	temporallog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/worker"
)

type saw = map[string]any

// Program is what the checks share.
type Program struct {
	client.Client
	queue, unique string
	mutex         sync.Mutex
	notes         map[string]chan string
}

// note is a way for activities to tell the checks something, by a name.
func (p *Program) note(name string) chan string {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if p.notes[name] == nil {
		p.notes[name] = make(chan string, 100)
	}
	return p.notes[name]
}

func (p *Program) options(id string) client.StartWorkflowOptions {
	return client.StartWorkflowOptions{ID: id + p.unique, TaskQueue: p.queue}
}

// p is the program, for checks and workflows.
var p *Program

// Check is one line of the checklist: it returns the run whose history the test reads, and what was seen.
type Check func(ctx context.Context, id string) (client.WorkflowRun, saw)

type quiet struct{}

func (quiet) Debug(string, ...any) {}
func (quiet) Info(string, ...any)  {}
func (quiet) Warn(string, ...any)  {}
func (quiet) Error(m string, more ...any) {
	fmt.Fprintln(os.Stderr, append([]any{m}, more...)...)
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func (p *Program) run(name string, check Check) (line saw) {
	ctx, cancel := context.WithTimeout(context.Background(), 40*time.Second)
	defer cancel()
	defer func() {
		if r := recover(); r != nil {
			line = saw{"check": name, "error": fmt.Sprint(r)}
		}
	}()
	run, seen := check(ctx, name+" ")
	return saw{"check": name, "workflow": run.GetID(), "run": run.GetRunID(), "saw": seen}
}

func main() {
	c, err := client.Dial(client.Options{HostPort: os.Args[1], Logger: temporallog.Logger(quiet{})})
	if err != nil {
		log.Fatalln(err)
	}
	defer c.Close()
	unique := fmt.Sprint(time.Now().UnixNano())
	p = &Program{Client: c, queue: "go-" + unique, unique: unique, notes: map[string]chan string{}}
	w := worker.New(c, p.queue, worker.Options{EnableSessionWorker: true, MaxHeartbeatThrottleInterval: 500 * time.Millisecond})
	register(w)
	w.RegisterActivity(tools)
	if err := w.Start(); err != nil {
		log.Fatalln(err)
	}
	defer w.Stop()
	lines := make(chan saw)
	for name, check := range checks {
		go func() { lines <- p.run(name, check) }()
	}
	for range checks {
		text, _ := json.Marshal(<-lines)
		fmt.Println(string(text))
	}
}
