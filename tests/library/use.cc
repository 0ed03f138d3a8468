// use.cc MODEL.json: a C++ program around libppm. Prints the shape of an answer.
#include <iostream>
#include <memory>
#include <ppm.h>
#include <vector>

int main(int, char **arguments)
{
    ppm_error error = {};
    std::unique_ptr<ppm_model, void (*)(ppm_model *)> model(
        ppm_model_load(arguments[1], nullptr, &error), ppm_model_free);
    std::vector<float> values(3 * 32 * 48);
    ppm_tensor x = {}, y = {};
    const size_t axes[] = {3, 32, 48};
    if (!model || ppm_tensor_from_axes(axes, 3, PPM_NCHW, &x, &error) != PPM_OK)
        return std::cerr << error.text << "\n", 1;
    x.data = values.data();
    if (ppm_run(model.get(), &x, nullptr, &y, &error) != PPM_OK)
        return std::cerr << error.text << "\n", 1;
    std::cout << y.shape.c << " " << y.shape.h << " " << y.shape.w << "\n";
    ppm_tensor_free(&y);
}
