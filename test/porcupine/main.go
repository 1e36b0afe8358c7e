// Porcupine gives a second opinion on histories of clients: the same files that the simulator and the runs of faults
// write, judged by another checker with a model of its own (https://github.com/anishathalye/porcupine).
//
// Arguments are files; without one, standard input. One line of JSON is printed for each history. The exit code is 0
// when all are linearizable, 1 when one is not or could not be decided, 2 when a file can't be read.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"sync"
	"time"
)

func main() {
	timeout := flag.Duration("timeout", 30*time.Second, "how long one path may be searched")
	jobs := flag.Int("jobs", runtime.NumCPU(), "histories that are judged at the same time")
	flag.Parse()
	var histories []*history
	if flag.NArg() == 0 {
		histories = append(histories, mustRead(os.Stdin, "standard input")...)
	}
	for _, name := range flag.Args() {
		opened, err := os.Open(name)
		if err != nil {
			fail(name, err)
		}
		histories = append(histories, mustRead(opened, name)...)
		opened.Close()
	}
	code := 0
	out := json.NewEncoder(os.Stdout)
	for _, found := range judgeAll(histories, *timeout, *jobs) {
		if found.Verdict != linearizable {
			code = 1
		}
		if err := out.Encode(found); err != nil {
			fail("standard output", err)
		}
	}
	os.Exit(code)
}

func mustRead(from io.Reader, name string) []*history {
	histories, err := readHistories(from, name)
	if err != nil {
		fail(name, err)
	}
	return histories
}

func fail(name string, err error) {
	fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
	os.Exit(2)
}

// judgeAll gives the verdicts in the order of the histories.
func judgeAll(histories []*history, timeout time.Duration, jobs int) []verdict {
	verdicts := make([]verdict, len(histories))
	next := make(chan int)
	var working sync.WaitGroup
	for range max(1, jobs) {
		working.Add(1)
		go func() {
			defer working.Done()
			for index := range next {
				verdicts[index] = judge(histories[index], timeout)
			}
		}()
	}
	for index := range histories {
		next <- index
	}
	close(next)
	working.Wait()
	return verdicts
}
