/* n training steps of a classifier with one hidden layer: tanh, softmax cross-entropy, SGD.
   Defined by whoever compiles: B samples, I inputs, H hidden units, O classes, LR, CLASS. */

#include <math.h>
#include <stdint.h>

/* Products of constant size: inlined, four rows at a time whose sums gcc keeps in registers. */
#define INLINE static inline __attribute__((always_inline))
#define ROWS 4

/* c (M, N) = a (M, K) · b (K, N) + bias, with the steps of a given: so a may be a transpose. */
INLINE void product(int M, int K, int N, const float *restrict a, int down, int right,
                    const float *restrict b, const float *restrict bias, float *restrict c)
{
    for (int i = 0; i < M; i += ROWS) {
        float sum[ROWS][N];
        for (int r = 0; r < ROWS; r++)
            for (int j = 0; j < N; j++)
                sum[r][j] = bias ? bias[j] : 0;
        for (int k = 0; k < K; k++)
            for (int r = 0; r < ROWS; r++) {
                float factor = a[(i + r) * down + k * right];
                for (int j = 0; j < N; j++)
                    sum[r][j] += factor * b[k * N + j];
            }
        for (int r = 0; r < ROWS; r++)
            for (int j = 0; j < N; j++)
                c[(i + r) * N + j] = sum[r][j];
    }
}

INLINE void subtract(int count, float *restrict p, const float *restrict g)
{
    for (int i = 0; i < count; i++)
        p[i] -= (float)LR * g[i];
}

/* b[j] −= LR · Σᵢ d[i][j] */
INLINE void subtract_sums(int N, float *restrict b, const float *restrict d)
{
    float sum[N];
    for (int j = 0; j < N; j++)
        sum[j] = 0;
    for (int i = 0; i < B; i++)
        for (int j = 0; j < N; j++)
            sum[j] += d[i * N + j];
    subtract(N, b, sum);
}

/* The mean cross-entropy of logits z (B, O), and its gradient in their place. */
static double cross_entropy(float *z, const CLASS target[B])
{
    double loss = 0;
    for (int i = 0; i < B; i++, z += O) {
        float largest = z[0], e[O], sum = 0;
        for (int j = 1; j < O; j++)
            largest = z[j] > largest ? z[j] : largest;
        for (int j = 0; j < O; j++)
            e[j] = expf(z[j] - largest);
        for (int j = 0; j < O; j++)
            sum += e[j];
        loss += logf(sum) - (z[target[i]] - largest);
        for (int j = 0; j < O; j++)
            z[j] = e[j] / (sum * B);
        z[target[i]] -= 1.0f / B;
    }
    return loss / B;
}

INLINE void tanh_of(int count, float *a)
{
    for (int i = 0; i < count; i++)
        a[i] = tanhf(a[i]);
}

INLINE void times_slope_of_tanh(int count, float *restrict d, const float *restrict a)
{
    for (int i = 0; i < count; i++)
        d[i] *= 1 - a[i] * a[i];
}

double train(int64_t n, const float x[B * I], const CLASS target[B], float W1[I * H], float b1[H],
             float W2[H * O], float b2[O])
{
    static float a[B * H], da[B * H], z[B * O], dW1[I * H], dW2[H * O], W2T[O * H];
    double loss = 0;
    for (int64_t step = 0; step < n; step++) {
        product(B, I, H, x, I, 1, W1, b1, a);
        tanh_of(B * H, a);
        product(B, H, O, a, H, 1, W2, b2, z);
        loss = cross_entropy(z, target);

        for (int i = 0; i < H; i++)
            for (int j = 0; j < O; j++)
                W2T[j * H + i] = W2[i * O + j];
        product(B, O, H, z, O, 1, W2T, 0, da);
        times_slope_of_tanh(B * H, da, a);
        product(H, B, O, a, 1, H, z, 0, dW2);
        product(I, B, H, x, 1, I, da, 0, dW1);

        subtract(H * O, W2, dW2);
        subtract_sums(O, b2, z);
        subtract(I * H, W1, dW1);
        subtract_sums(H, b1, da);
    }
    return loss;
}
