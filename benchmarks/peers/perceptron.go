// The tutorial's perceptron as a program: helpers on slices, one sample at a time.
//
// Arguments: the weights and the bias. Every line of input is a number of epochs; the answer is
// nanoseconds an epoch, the loss that the last epoch saw, the weights and the bias.
package main

import (
	"fmt"
	"math"
	"os"
	"strconv"
	"time"
)

func dot(a, b []float64) float64 {
	sum := 0.0
	for i := range a {
		sum += a[i] * b[i]
	}
	return sum
}

func add(a, b []float64) []float64 {
	c := make([]float64, len(a))
	for i := range a {
		c[i] = a[i] + b[i]
	}
	return c
}

func scale(s float64, a []float64) []float64 {
	c := make([]float64, len(a))
	for i := range a {
		c[i] = s * a[i]
	}
	return c
}

func sigmoid(z float64) float64 {
	return 1 / (1 + math.Exp(-z))
}

type perceptron struct {
	inputs  [][]float64
	targets []float64
	weights []float64
	bias    float64
}

func (p *perceptron) forward(x []float64) float64 {
	return sigmoid(dot(p.weights, x) + p.bias)
}

// descent is the downhill direction of one sample's squared error, halved.
func (p *perceptron) descent(x []float64, y float64) (w []float64, b, loss float64) {
	a := p.forward(x)
	b = -(a - y) * a * (1 - a)
	return scale(b, x), b, (a - y) * (a - y)
}

func (p *perceptron) train(epochs int) (loss float64) {
	n := float64(len(p.inputs))
	for e := 0; e < epochs; e++ {
		dw, db := make([]float64, len(p.weights)), 0.0
		loss = 0
		for i, x := range p.inputs {
			w, b, l := p.descent(x, p.targets[i])
			dw = add(dw, w)
			db += b
			loss += l / n
		}
		p.weights = add(p.weights, scale(2/n, dw))
		p.bias += 2 / n * db
	}
	return loss
}

func main() {
	var start []float64
	for _, text := range os.Args[1:] {
		v, err := strconv.ParseFloat(text, 64)
		if err != nil {
			panic(err)
		}
		start = append(start, v)
	}
	p := perceptron{
		inputs:  [][]float64{{0, 0, 1}, {1, 1, 1}, {1, 0, 1}, {0, 1, 0}},
		targets: []float64{0, 1, 1, 0},
		weights: start[:3],
		bias:    start[3],
	}
	for epochs := 0; ; {
		if _, err := fmt.Scan(&epochs); err != nil {
			return
		}
		began := time.Now()
		loss := p.train(epochs)
		each := float64(time.Since(began).Nanoseconds()) / float64(epochs)
		fmt.Println(each, loss, p.weights, p.bias)
	}
}
