// SPDX-License-Identifier: GPL-2.0

// Command adopt makes a net.Conn or net.Listener of the socket that it has as standard input.
//
// It says "adopted", reads with a deadline that has to pass, says "timed out", and then sends
// back whatever comes until the stream ends.
package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"
)

// nothingComes proves the deadline.
func nothingComes(conn net.Conn) error {
	if err := conn.SetReadDeadline(time.Now().Add(20 * time.Millisecond)); err != nil {
		return err
	}
	_, err := conn.Read(make([]byte, 1))
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Errorf("read with a deadline: %v", err)
	}
	fmt.Println("timed out")
	return conn.SetReadDeadline(time.Time{})
}

func echo(conn net.Conn) error {
	if _, ok := conn.(*net.TCPConn); !ok {
		return fmt.Errorf("a %T", conn)
	}
	if _, ok := conn.RemoteAddr().(*net.TCPAddr); !ok {
		return fmt.Errorf("the peer is a %T", conn.RemoteAddr())
	}
	if err := nothingComes(conn); err != nil {
		return err
	}
	// No ReaderFrom: bytes go through this program.
	if _, err := io.Copy(struct{ io.Writer }{conn}, struct{ io.Reader }{conn}); err != nil {
		return err
	}
	return conn.Close()
}

func stream() error {
	conn, err := net.FileConn(os.Stdin)
	if err != nil {
		return err
	}
	os.Stdin.Close()
	fmt.Println("adopted")
	return echo(conn)
}

func listener() error {
	listener, err := net.FileListener(os.Stdin)
	if err != nil {
		return err
	}
	os.Stdin.Close()
	fmt.Println("adopted")
	conn, err := listener.Accept()
	if err != nil {
		return err
	}
	if err := echo(conn); err != nil {
		return err
	}
	return listener.Close()
}

func main() {
	run := map[string]func() error{"stream": stream, "listener": listener}[os.Args[len(os.Args)-1]]
	if run == nil {
		fmt.Fprintln(os.Stderr, "usage: adopt stream | listener")
		os.Exit(2)
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
