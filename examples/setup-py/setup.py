from setuptools import setup

setup(name="waves", version="1.0.0", py_modules=["waves"], python_requires=">=3.8")
