/* The matrix products of n training steps, by the BLAS whose sgemm is given. */

#include <stdint.h>

/* CBLAS with integers of 64 bits; its enumerations are ints. */
typedef void gemm(int order, int a_transposed, int b_transposed, int64_t M, int64_t N, int64_t K,
                  float alpha, const float *a, int64_t a_row, const float *b, int64_t b_row,
                  float beta, float *c, int64_t c_row);

/* c (M, N) = a · b, either of which may be stored transposed; all rows are contiguous. */
struct product {
    int64_t a_transposed, b_transposed, M, N, K;
    const float *a, *b;
    float *c;
};

enum { ROW_MAJOR = 101, AS_IS = 111, TRANSPOSED = 112 };

void multiply(int64_t n, int64_t count, const struct product *products, gemm *sgemm)
{
    for (int64_t step = 0; step < n; step++)
        for (const struct product *p = products; p < products + count; p++)
            sgemm(ROW_MAJOR, p->a_transposed ? TRANSPOSED : AS_IS,
                  p->b_transposed ? TRANSPOSED : AS_IS, p->M, p->N, p->K, 1, p->a,
                  p->a_transposed ? p->M : p->K, p->b, p->b_transposed ? p->K : p->N, 0, p->c,
                  p->N);
}
