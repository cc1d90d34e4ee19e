/* n training steps of the perceptron σ(x·w + b), for the squared error.
   Defined by whoever compiles: B samples, D features, the learning rate LR. */

#include <math.h>
#include <stdint.h>

double train(int64_t n, const double x[B][D], const double y[B], double w[D], double *b)
{
    double loss = 0;
    for (int64_t step = 0; step < n; step++) {
        double dw[D] = {0}, db = 0;
        loss = 0;
        for (int i = 0; i < B; i++) {
            double z = *b;
            for (int j = 0; j < D; j++)
                z += x[i][j] * w[j];
            double a = 1 / (1 + exp(-z)), error = a - y[i];
            double dz = error * a * (1 - a);
            loss += error * error;
            for (int j = 0; j < D; j++)
                dw[j] += dz * x[i][j];
            db += dz;
        }
        for (int j = 0; j < D; j++)
            w[j] -= LR * 2 / B * dw[j];
        *b -= LR * 2 / B * db;
        loss /= B;
    }
    return loss;
}
