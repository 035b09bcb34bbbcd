package main

import (
	"os"
	"strings"
	"testing"
)

// TestReadme: the example in the README is this program, so it compiles.
func TestReadme(t *testing.T) {
	readme, err := os.ReadFile("../../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(readme), "```go\n")
	example, _, found := strings.Cut(rest, "```")
	if !found {
		t.Fatal("no Go example in README.md")
	}
	program, err := os.ReadFile("main.go")
	if err != nil {
		t.Fatal(err)
	}
	_, code, _ := strings.Cut(string(program), "\n") // its first line is the package comment
	if code != example {
		t.Errorf("README.md has\n%s\nand main.go has\n%s", example, code)
	}
}
